"""Every number of an outcome lands under its fixed name, with labels of closed sets."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from router.types import (
    Aside,
    Attempt,
    Decision,
    Energy,
    Failure,
    Generation,
    GenerationRequest,
    Outcome,
    Ruling,
    Skip,
    Usage,
    Verdict,
)
from server.observers.metrics import Metrics
from server.observers.metrics.observing import KINDS

REQUEST = GenerationRequest("r", "auto", ())
ACCEPTED = (Verdict("contract", Ruling.ACCEPT), Verdict("function", Ruling.ACCEPT), Verdict("confidence", Ruling.ACCEPT, confidence=0.97))
DEFERRED = (Verdict("contract", Ruling.DEFER, cost=0.5),)


def attempt(tier: str, **changes: Any) -> Attempt:
    given: dict[str, Any] = {"generation": Generation((), Usage()), "usage": Usage(100, 10), "cost": 1.0, "seconds": 0.2}
    return Attempt(tier, changes.pop("kind", "try"), **(given | changes))


def outcome(*attempts: Attempt, answer: int | None, **changes: Any) -> Outcome:
    return Outcome("r", "auto", changes.pop("decision", Decision(("small", "large"))), attempts, answer, **changes)


def observed(*outcomes: Outcome) -> Metrics:
    metrics = Metrics()
    for one in outcomes:
        metrics.observe(REQUEST, one)
    return metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"smallfirst_{name}", {"route": "auto"} | labels)


def escalated() -> Outcome:
    draft = attempt("small", verdicts=DEFERRED, deferral="contract")
    skipped = Decision(("small", "large"), (Skip("tiny", "context"),))
    return outcome(draft, attempt("large", verdicts=ACCEPTED, cost=10.0), answer=1, decision=skipped, seconds=0.5, first_token_seconds=0.4)


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("requests_total", {"tier": "large", "code": "ok"}, 1),
        ("request_seconds_sum", {"path": "escalated"}, 0.5),
        ("first_token_seconds_sum", {}, 0.4),
        ("attempt_seconds_sum", {"tier": "small"}, 0.2),
        ("attempts_total", {"tier": "small", "result": "deferred"}, 1),
        ("attempts_total", {"tier": "large", "result": "kept"}, 1),
        ("deferrals_total", {"tier": "small", "reason": "contract"}, 1),
        ("deferrals_total", {"tier": "tiny", "reason": "context"}, 1),
        ("verdicts_total", {"tier": "small", "verifier": "contract", "ruling": "defer"}, 1),
        ("schema_checks_total", {"tier": "small", "valid": "false"}, 1),
        ("schema_checks_total", {"tier": "large", "valid": "true"}, 1),
        ("tool_calls_total", {"tier": "large", "executable": "true"}, 1),
        ("tokens_total", {"tier": "small", "kind": "prompt"}, 100),
        ("tokens_total", {"tier": "large", "kind": "completion"}, 10),
        ("cost_usd_total", {"tier": "small", "kind": "draft"}, 1),
        ("cost_usd_total", {"tier": "small", "kind": "verifier"}, 0.5),
        ("cost_usd_total", {"tier": "large", "kind": "answer"}, 10),
        ("tasks_total", {"success": "verified"}, 1),
        ("confidence_sum", {"tier": "large"}, 0.97),
        ("cost_per_success_usd", {"by": "verified"}, 11.5),
    ],
)
def test_an_escalated_request_under_every_name(name: str, labels: dict[str, str], expected: float) -> None:
    assert value(observed(escalated()), name, **labels) == pytest.approx(expected)


def test_the_sum_of_all_costs_is_the_outcomes_cost() -> None:
    """Drafts, repairs, verifiers, guards and cancelled: nothing is lost between the kinds."""
    one = outcome(
        attempt("small", verdicts=DEFERRED, deferral="contract"),
        attempt("small", kind="repair", verdicts=DEFERRED, deferral="contract"),
        attempt("large", cancelled=True, generation=None),
        answer=None,
        code="cancelled",
        aside=Aside(3.0),
    )
    samples = [s for metric in observed(one).registry.collect() for s in metric.samples if s.name == "smallfirst_cost_usd_total"]
    assert sum(sample.value for sample in samples) == pytest.approx(one.cost)
    assert {sample.labels["kind"] for sample in samples} == {"draft", "repair", "cancelled", "verifier"}


def test_tokens_and_joules_of_everyone_asked_are_counted_apart_from_the_attempts() -> None:
    judged = Verdict("judge", Ruling.ACCEPT, usage=Usage(40, 4), energy=Energy(2.0, "rapl"))
    one = outcome(
        attempt("small", verdicts=(judged,), energy=Energy(5.0, "rapl")),
        answer=0,
        aside=Aside(1.0, Usage(20, 2), (Energy(0.5, "rapl"), Energy(0.25, "estimated"), None)),
    )
    metrics = observed(one)
    metrics.beside.audit_tokens("auto", "large", Usage(7, 3))
    tokens = {
        (tier, kind): value(metrics, "tokens_total", tier=tier, kind=kind)
        for tier in ("", "small", "large")
        for kind in ("prompt", "completion", "verifier_prompt", "verifier_completion", "audit_prompt", "audit_completion")
    }
    assert {where: count for where, count in tokens.items() if count is not None} == {
        ("", "verifier_prompt"): 20,
        ("", "verifier_completion"): 2,
        ("small", "prompt"): 100,
        ("small", "completion"): 10,
        ("small", "verifier_prompt"): 40,
        ("small", "verifier_completion"): 4,
        ("large", "audit_prompt"): 7,
        ("large", "audit_completion"): 3,
    }
    joules = {
        (tier, method): metrics.registry.get_sample_value("smallfirst_energy_joules_total", {"tier": tier, "method": method})
        for tier, method in (("", "rapl"), ("", "estimated"), ("small", "rapl"))
    }
    assert joules == {("", "rapl"): 0.5, ("", "estimated"): 0.25, ("small", "rapl"): 7.0}
    assert one.all_tokens == 110 + 44 + 22


def test_a_request_that_asked_somebody_unmeasured_has_no_joules() -> None:
    known = outcome(attempt("small", energy=Energy(5.0, "rapl")), answer=0, aside=Aside(energies=(Energy(1.0, "estimated"),)))
    assert known.energy == Energy(6.0, "estimated")
    assert outcome(attempt("small", energy=Energy(5.0, "rapl")), answer=0, aside=Aside(energies=(None,))).energy is None


@pytest.mark.parametrize(
    ("one", "success"),
    [
        (outcome(attempt("small", verdicts=ACCEPTED), answer=0), "verified"),
        (outcome(attempt("small", verdicts=(Verdict("contract", Ruling.NOT_APPLICABLE),)), answer=0), "unverified"),
        (outcome(attempt("small", verdicts=ACCEPTED, deferral="confidence"), answer=0), "unverified"),
        (outcome(attempt("small", verdicts=DEFERRED, deferral="contract"), answer=None, code="cascade_exhausted"), "failed"),
        (outcome(attempt("small", generation=None, failure=Failure("timeout", "slow")), answer=None, code="timeout"), "failed"),
        (outcome(attempt("small", cancelled=True), answer=None, code="cancelled"), None),
        (outcome(answer=None, code="context_length_exceeded"), None),
    ],
)
def test_a_task_succeeds_only_if_a_verifier_accepted_and_none_objected(one: Outcome, success: str | None) -> None:
    metrics = observed(one)
    counted = {kind: value(metrics, "tasks_total", success=kind) for kind in ("verified", "unverified", "failed")}
    assert {kind for kind, count in counted.items() if count} == ({success} if success else set())


def test_a_failed_attempt_is_counted_as_failed() -> None:
    metrics = observed(outcome(attempt("small", generation=None, failure=Failure("timeout", "slow"), deferral="timeout"), answer=None))
    assert value(metrics, "attempts_total", tier="small", result="failed") == 1


def test_however_many_kinds_of_outcomes_there_are_each_is_counted() -> None:
    """More of them than are tallied at a time, and then all once more."""
    kinds = [outcome(attempt(f"tier-{number}", verdicts=ACCEPTED), answer=0, seconds=0.5) for number in range(KINDS + 10)]
    samples = [sample for metric in observed(*kinds, *kinds).registry.collect() for sample in metric.samples]
    counted = {sample.labels["tier"]: sample.value for sample in samples if sample.name == "smallfirst_requests_total"}
    assert counted == {kind.attempts[0].tier: 2 for kind in kinds}
    assert [sample.value for sample in samples if sample.name == "smallfirst_request_seconds_sum"] == [pytest.approx(len(kinds))]


def test_two_applications_do_not_share_their_metrics() -> None:
    first, second = observed(escalated()), Metrics()
    assert value(first, "requests_total", tier="large", code="ok") == 1
    assert value(second, "requests_total", tier="large", code="ok") is None


def test_without_a_success_there_is_no_cost_per_success() -> None:
    assert value(Metrics(), "cost_per_success_usd", by="verified") is None


def test_several_processes_are_counted_together(tmp_path: Path) -> None:
    program = (
        "from server.observers.metrics import Metrics\n"
        "import sys\n"
        "metrics = Metrics()\n"
        "metrics.refused('auto', 'invalid_request')\n"
        "sys.stdout.write(metrics.exposition().decode())\n"
        "metrics.close()\n"
    )
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    told = [
        subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    line = 'smallfirst_requests_total{code="invalid_request",route="auto",tier=""}'
    assert [f"{line} {count}.0" in text for count, text in enumerate(told, 1)] == [True, True]


def test_another_process_sees_what_was_counted_by_the_next_turn_of_the_event_loop(tmp_path: Path) -> None:
    counting = (
        "import asyncio, sys\n"
        "from server.observers.metrics import Metrics\n"
        "async def main():\n"
        "    metrics = Metrics()\n"
        "    for _ in range(3):\n"
        "        metrics.inflight('auto', 1)\n"
        "        metrics.overhead(0.001)\n"
        "    await asyncio.sleep(0)\n"
        "    print('counted', flush=True)\n"
        "    sys.stdin.read()\n"
        "asyncio.run(main())\n"
    )
    asking = "import sys; from server.observers.metrics import Metrics; sys.stdout.write(Metrics().exposition().decode())"
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", counting], env=environment, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "counted\n"
        told = subprocess.run([sys.executable, "-c", asking], env=environment, capture_output=True, text=True, check=True).stdout
        other.kill()
    assert 'smallfirst_inflight{route="auto"} 3.0' in told
    assert "smallfirst_overhead_seconds_count 3.0" in told


def test_a_killed_worker_has_nothing_in_flight_and_no_opinion_of_engines(tmp_path: Path) -> None:
    program = (
        "from server.observers.metrics import Metrics\n"
        "import os, sys\n"
        "metrics = Metrics()\n"
        "sys.stdout.write(metrics.exposition().decode())\n"
        "sys.stdout.flush()\n"
        "metrics.refused('auto', 'invalid_request')\n"
        "metrics.beside.engine_up('llm', False)\n"
        "metrics.inflight('auto', 1)\n"
        "os._exit(9)\n"
    )
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    told = [subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True).stdout for _ in range(2)]
    assert 'smallfirst_requests_total{code="invalid_request",route="auto",tier=""} 1.0' in told[1]
    assert "smallfirst_inflight{" not in told[1]
    assert "smallfirst_engine_up{" not in told[1]
