"""Breaks every verifier and every gate on purpose, in a copy, and shows that a test fails.

    python tests/mutation.py [--only WORD] [--json]

Each mutant is one edit of the source; only the tests that should notice run. Exits with 1 if a mutant survives, or breaks more than it
means to (a test run that cannot even start proves nothing).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("router", "server", "tests", "docs", "bench", "deploy", "pyproject.toml", "README.md")
LIMIT = 300


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old` stands exactly once in `path` and becomes `new`; `tests` are those that should notice."""

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]


def _verifier(kind: str, old: str, new: str, what: str = "accepts everything", also: Sequence[str] = ()) -> Mutant:
    return Mutant(f"{kind}: {what}", f"router/verifiers/{kind}.py", old, new, (f"tests/router/verifiers/test_{kind}_verifier.py", *also))


def _router(name: str, module: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(name, f"router/{module}.py", old, new, tuple(f"tests/{test}.py" for test in tests))


WRONG, TRAPS, RESIDENCY = "test_wrong_drafts", "test_traps", "server/test_residency"
TABLE, REPAIR, LIMITS = "router/test_policy_table", "server/test_repair", "router/test_limits"
CAPS = "server/test_amplification"
TASKS, OWED, FIRST, RANKING = "server/test_tasks", "server/test_owed", "router/test_schemafirst", "router/test_ranking"
CASCADE, POLICY, GATE, HEDGING = "router/test_cascade", "router/test_policy", "router/test_gate", "router/test_hedging"
RULES = "return Verdict(self.kind, Ruling.ACCEPT) if _true(self.expression, told) else Verdict(self.kind, Ruling.DEFER, self.name)"
MUTANTS = (
    _verifier("contract", "        if not violations:\n", "        if True:\n"),
    _verifier("contract", "violations = check(contract, draft.choice)", "violations = ()", "checks nothing", [f"tests/{WRONG}.py"]),
    _verifier("contract", 'Ruling.UNABLE, "unreadable_grammar"', "Ruling.ACCEPT", "what cannot be read is accepted"),
    _verifier("function", "        if found:\n            return self._deferred(", "        if False:\n            return self._deferred("),
    _verifier(
        "function", "            if found:\n                return", "            if False:\n                return", "no semantic checks"
    ),
    _verifier("function", 'self._deferred("dry_run", tuple(found)) if found else', "", "ignores the dry run"),
    _verifier("function", 'Ruling.UNABLE, "dry_run_timeout"', "Ruling.ACCEPT", "a slow dry run is accepted"),
    _verifier("confidence", "if found.keep:", "if True:"),
    _verifier("confidence", "Ruling.UNABLE, reason", "Ruling.ACCEPT, reason", "missing evidence is accepted"),
    _verifier("rule", RULES, "return Verdict(self.kind, Ruling.ACCEPT)"),
    _verifier("rule", "Ruling.UNABLE, type(error).__name__", "Ruling.ACCEPT", "a failing expression is accepted"),
    _verifier("guard", "        if not found.flagged:\n", "        if True:\n", "flags nothing", [f"tests/{TRAPS}.py"]),
    _verifier("guard", "        if found.flagged is None:\n", "        if False:\n", "nobody could say: clear"),
    _verifier("guard", 'REFUSED if self.policy == "refuse" else found.reason', "found.reason", "never refuses"),
    _verifier("judge", 'Ruling.ACCEPT if ruled["ruling"] == "accept" else Ruling.DEFER', "Ruling.ACCEPT"),
    _verifier(
        "judge", "return self._unable(_failure(said), cost, said)", "return Verdict(self.kind, Ruling.ACCEPT)", "its failure accepts"
    ),
    _verifier("judge", "if draft.request.inside_only and", "if False and", "ignores residency", [f"tests/{RESIDENCY}.py"]),
    _verifier("webhook", "Ruling(said.ruling)", "Ruling.ACCEPT"),
    _verifier("webhook", "Ruling(self.when_unable)", "Ruling.ACCEPT", "its failure accepts"),
    _verifier("webhook", "if draft.request.inside_only and", "if False and", "ignores residency", [f"tests/{RESIDENCY}.py"]),
    _verifier("agreement", "Ruling.ACCEPT if mean >= self.likeness else Ruling.DEFER", "Ruling.ACCEPT"),
    _verifier("agreement", "        if failed:\n", "        if False:\n", "a failed sample is ignored"),
    _verifier("agreement", "if draft.request.inside_only and", "if False and", "ignores residency", [f"tests/{RESIDENCY}.py"]),
    _verifier("grounded", "        if not invented:\n", "        if True:\n"),
    _verifier("grounded", 'Ruling.UNABLE, "unreadable"', "Ruling.ACCEPT", "what cannot be read is accepted"),
    _verifier("python", "Ruling.ACCEPT if found else Ruling.DEFER", "Ruling.ACCEPT"),
    _verifier("python", 'Ruling.UNABLE, f"raised {type(error).__name__}"', "Ruling.ACCEPT", "an exception accepts", [f"tests/{TRAPS}.py"]),
    _router(
        "python: a timeout accepts",
        "verifiers/python",
        'Ruling.UNABLE, "timeout"',
        "Ruling.ACCEPT",
        "router/verifiers/test_python_verifier",
    ),
    _router("check: a cut answer keeps its form", "contract/checking", "if choice.finish_reason in _ENDS:", "if False:", WRONG, TRAPS),
    _router("check: any function is known", "contract/toolcalls", "if not isinstance(name, str) or name not in texts:", "if False:", WRONG),
    _router(
        "check: arguments are not looked at",
        "contract/toolcalls",
        'return violations(texts[name], arguments, f"{path}/arguments")',
        "return ()",
        WRONG,
    ),
    _router("check: no schema", "contract/checking", "else violations(contract.text, value)", "else ()", WRONG),
    _router("verify: a deferral does not end the walk", "verification", "verdict.ruling in AGAINST:", "False:", CASCADE),
    _router("verify: unable passes", "verification", "{Ruling.DEFER, Ruling.UNABLE}", "{Ruling.DEFER}", CASCADE, TRAPS),
    _router("verify: all abstained is kept", "verification", 'else "abstain"', "else None", CASCADE),
    _router("verify: no gate on the last tier", "verification", "verifier.kind in HARD_GATES]", "False]", CASCADE, TRAPS),
    _router("best: breaks its contract", "policy", "if attempt.satisfies_contract]", "if attempt.generation]", POLICY),
    _router("best: the last one", "policy", "(attempts[index].confidence or 0.0, index)", "index", POLICY),
    _router("best: gates that were not reached are not asked", "cascade", "not await self._stands(step.index)", "False", CAPS),
    _router("best: of several choices the later ones are not asked", "rung", "judges[0 if index else reached :]", "judges[reached:]", CAPS),
    _router("policy: refused by a guard goes on", "policy", "    if _refused(last):\n", "    if False:\n", "router/test_guards", HEDGING),
    _router("policy: no cap on attempts", "policy", "left <= 0 or _spent", "_spent", POLICY),
    _router("policy: repairs take the last tier's attempts", "policy", "left > len(rest) and", "", POLICY),
    _router("policy: no reserve", "policy", "kept = 0.0 if is_last(tier, decision) else", "kept = 0.0 if True else", POLICY, CASCADE),
    _router("policy: repairs in the reserve", "policy", "if not hurried and", "if", POLICY),
    _router("repair: whatever is wrong is worth it", "policy", "last.verdicts[-1].repairable and ", "", POLICY, TABLE, REPAIR),
    _router("repair: what was cut is worth it", "verifiers/contract", "repairable=whole and", "repairable=", REPAIR),
    _router("limits: tiers are not narrowed", "limits", "    return one & other\n", "    return one\n", LIMITS),
    _router("limits: the looser target rules", "limits", "return max(named", "return min(named", LIMITS),
    _router("limits: the larger budget rules", "limits", "return min((given", "return max((given", LIMITS),
    _router("task: its target is not asked", "route", "self.verifiers if target is None else", "self.verifiers if True else", TASKS),
    _router("owed: a judge that nobody waits for is free", "verification", "if not tab.clean:", "if False:", OWED),
    _router("owed: what was asked is not on the tab", "asking", "tab.add(rate.of(usage), usage, call.receipt.energy)", "pass", OWED),
    _router(
        "schema-first: examples are anybody's", "schemafirst", "key = request.owner, family(request)", 'key = "", family(request)', FIRST
    ),
    _router(
        "schema-first: every tier reads it", "rung", "if self.tier.schema_first is None else", "if False else", "server/test_schema_first"
    ),
    _router("schema-first: examples ignore residency and guards", "schemafirst", "if tier in tiers]", "]", "server/test_schema_first"),
    _router("retriever: vectors ignore residency", "ranking", "if request.inside_only and self.outside:", "if False:", RANKING),
    _router("retriever: vectors are not asked", "rung", "keep, self.ranked)", "keep)", "server/test_retriever"),
    _router("gate: languages close nothing", "gate", "states[name].late or states[name].foreign", "states[name].late", GATE),
    Mutant(
        "log: words without content",
        "server/observers/outcomes/encoding.py",
        "if words or verdict.verifier in _TERSE",
        "if True or verdict.verifier in _TERSE",
        ("tests/server/test_decision_log.py", "tests/server/observers/outcomes/test_export.py"),
    ),
    _router("policy: no limit on cost", "policy", "spent >= budget.max_cost", "False", POLICY),
    _router("gate: residency is open", "gate", 'request.inside_only and tier.location == "outside"', "False", GATE, RESIDENCY),
    _router("gate: guards are open", "gate", "    if state.guarded:\n", "    if False:\n", "router/test_guards", TRAPS),
    _router("gate: context is endless", "gate", "<= tier.context", "< 10**9", GATE),
    _router("gate: every tier reads everything", "gate", "if not modalities <= tier.modalities:", "if False:", GATE),
    _router("gate: a broken engine is asked", "gate", 'None if state.available else "breaker_open"', "None", GATE),
    _router(
        "gate: loops start at the bottom", "gate", "looping is not None and", "False and", "router/test_loops", "server/api/test_tool_loops"
    ),
    _router("guard of prompts: flags nothing", "guards", "shut = found.flagged or", "shut = ", "router/test_guards", TRAPS),
    _router("guard of prompts: nobody could say is open", "guards", 'self.when_unable == "close"', "False", "router/test_guards"),
    _router(
        "guard: the classifier ignores residency",
        "guards",
        'if request.inside_only and (self.classifier.location == "outside" or self.services.outside(self.classifier.engine)):',
        "if False:",
        RESIDENCY,
    ),
    _router(
        "guard: the webhook ignores residency", "guards", 'if request.inside_only and hook.location == "outside":', "if False:", RESIDENCY
    ),
    _router("cascade: every tier is live", "rung", "prose and self.last and route.live_text", "True", CASCADE, TRAPS),
    _router(
        "cascade: only the first choice is judged",
        "rung",
        "in enumerate(generation.choices):",
        "in enumerate(generation.choices[:1]):",
        CASCADE,
    ),
    _router("route: guarded prose is live", "route", 'in ("contract", "function") for', 'in ("contract", "function", "guard") for', TRAPS),
    _router("gated: every beginning passes", "gated", "kept = mean >= limit", "kept = True", "server/api/test_commit_modes"),
    _router("hedging: the first to end wins", "policy", "attempt.deferral is None or _refused(attempt)", "True", HEDGING),
    _router("hedging: the loser runs on", "hedging", "        await _stop(tasks)\n", "        pass\n", HEDGING),
    _router(
        "hedging: the loser is free",
        "cascade",
        "        return running.attempt(cancelled=True)\n",
        "        return replace(running.attempt(cancelled=True), cost=0.0)\n",
        HEDGING,
    ),
    Mutant(
        "composition: a route without the contract verifier has none",
        "server/build/routes.py",
        "else (ContractVerifier(), *listed)",
        "else listed",
        (f"tests/{TRAPS}.py",),
    ),
    Mutant(
        "api: metadata may loosen",
        "server/api/translate.py",
        'if metadata.get("residency", "inside") != "inside":',
        "if False:",
        (f"tests/{RESIDENCY}.py",),
    ),
    Mutant(
        "api: completions forget the route's residency",
        "server/api/completions.py",
        "inside_only=facts.inside_only",
        "inside_only=False",
        (f"tests/{RESIDENCY}.py",),
    ),
    Mutant(
        "api: embeddings forget residency",
        "server/api/embeddings.py",
        'if not (asked.inside_only and tier.location == "outside")]',
        "]",
        (f"tests/{RESIDENCY}.py",),
    ),
    Mutant(
        "audit: closed tiers are asked",
        "server/auditing.py",
        "kept.tier != outcome.decision.permitted[-1]",
        "True",
        ("tests/server/test_auditing.py", f"tests/{RESIDENCY}.py"),
    ),
)


def copied(folder: Path) -> None:
    """What the tests need, without what was built."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.onnx"))
        else:
            shutil.copy(source, folder / name)


def tested(folder: Path, tests: Iterable[str]) -> int:
    """The exit status of pytest; a run that takes too long counts as failed, for a mutant may wait for ever."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder)}
    try:
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=LIMIT, check=False).returncode
    except subprocess.TimeoutExpired:
        return 1


def fate(folder: Path, mutant: Mutant) -> str:
    """`killed`, `survived`, or `broken` where the edit fits no more or the tests could not run."""
    path = folder / mutant.path
    whole = path.read_text(encoding="utf-8")
    if whole.count(mutant.old) != 1:
        return "broken: the source has changed"
    path.write_text(whole.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        status = tested(folder, mutant.tests)
    finally:
        path.write_text(whole, encoding="utf-8")
    return {0: "survived", 1: "killed"}.get(status, f"broken: pytest exited with {status}")


def main() -> int:
    """Print one row a mutant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default="", help="mutants with this word in their name")
    parser.add_argument("--json", action="store_true", help="one JSON array")
    given = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if given.only in mutant.name]
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copied(folder)
        if tested(folder, sorted({test for mutant in chosen for test in mutant.tests})):
            sys.stderr.write("the tests fail without any mutant: nothing can be shown\n")
            return 2
        for mutant in chosen:
            started = time.monotonic()
            rows.append({"mutant": mutant.name, "fate": fate(folder, mutant), "seconds": round(time.monotonic() - started, 1)})
            if not given.json:
                sys.stdout.write(f"{rows[-1]['fate']!s:<10} {rows[-1]['seconds']:>6}  {mutant.name}\n")
                sys.stdout.flush()
    killed = sum(row["fate"] == "killed" for row in rows)
    sys.stdout.write(json.dumps(rows) + "\n" if given.json else f"{killed} of {len(rows)} mutants killed\n")
    return int(killed < len(rows))


if __name__ == "__main__":
    sys.exit(main())
