"""Schema-first prompting: a small tier is shown a sketch of the form and a few worked examples, before anything else that it reads.

The same tools give the same beginning, so that an engine's prefix cache serves every request that has them. Examples are answers that were
declared with the functions of the registry, or answers of this process that the verifiers vouched for, of the same caller.
"""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from router.calibration.family import family
from router.calibration.words import stems, words
from router.contract.sketch import signature, sketch
from router.functions import Registry
from router.retrieval import last_words
from router.types import Contract, Decision, GenerationRequest, Outcome, Ruling, Tool

FORMS = frozenset({"tools", "json_schema"})
"""Kinds of contract that have a schema to show."""
_KEPT, _FAMILIES, _LONGEST = 64, 256, 2000


@dataclass(frozen=True, slots=True)
class Example:
    """A request and the answer that it should get, in the contract's own form."""

    request: str
    answer: str


class Examples(Protocol):
    """Where examples come from."""

    def pick(self, request: GenerationRequest, contract: Contract, most: int, tier: str, /) -> Sequence[Example]:
        """At most so many that fit this form of answer and that this tier may see, the likest last."""
        ...


def guide(contract: Contract, examples: Sequence[Example] = ()) -> str:
    """What the tier reads first; "" where the contract has no schema to show."""
    if contract.kind not in FORMS:
        return ""
    worked = [f"{' '.join(example.request.split())} => {example.answer}" for example in examples]
    return "\n".join((*_form(contract), *(("Examples:", *worked) if worked else ())))


def nearest(asked: str, among: Sequence[Example], most: int) -> list[Example]:
    """Those whose request shares most words with what is asked, the likest last: models lean on what they read last."""
    known = stems(words(asked))
    ranked = sorted(among, key=lambda example: _likeness(known, stems(words(example.request))))
    return ranked[-most:] if most else []


@dataclass(frozen=True, slots=True)
class Taught:
    """The examples that were declared with the functions of a registry."""

    registry: Registry

    def pick(self, request: GenerationRequest, contract: Contract, most: int, _tier: str, /) -> Sequence[Example]:
        """Of the offered functions that are the registry's own."""
        known = [self.registry.functions[tool.name] for tool in contract.tools if tool.name in self.registry and self._own(tool)]
        found = [Example(asked, _call(one.name, arguments)) for one in known for asked, arguments in one.examples]
        return nearest(last_words(request), found, most)

    def _own(self, tool: Tool) -> bool:
        return self.registry.functions[tool.name].serves(tool)


@dataclass(slots=True)
class Proven:
    """Remembers the latest answers that verifiers vouched for, by caller and family of requests; in memory, and only as texts.

    What one key's requests said is never shown to another's, nor to a tier that residency, a guard or a limit closed to them. It is
    bounded: `_KEPT` a family, `_FAMILIES` families.
    """

    _known: dict[tuple[str, str], deque[tuple[Example, frozenset[str]]]] = field(default_factory=dict)

    def observe(self, request: GenerationRequest, outcome: Outcome) -> None:
        """Remember an answer that was kept, vouched for, and has a form."""
        kept = outcome.kept
        if kept is None or kept.generation is None or kept.deferral is not None or request.contract.kind not in FORMS:
            return
        asked, answer = last_words(request), kept.generation.choices[0].text
        vouched = any(verdict.ruling is Ruling.ACCEPT for verdict in kept.verdicts)
        if vouched and outcome.code == "ok" and asked and len(asked) + len(answer) <= _LONGEST:
            self._place(request).append((Example(asked, answer), _open_to(outcome.decision)))

    def pick(self, request: GenerationRequest, contract: Contract, most: int, tier: str, /) -> Sequence[Example]:
        """Of the same caller and family, other than this very request."""
        known = [example for example, tiers in self._known.get((request.owner, family(request)), ()) if tier in tiers]
        asked = last_words(request)
        usable = [example for example in known if example.request != asked and _fits(example.answer, request.contract, contract)]
        return nearest(asked, usable, most)

    def _place(self, request: GenerationRequest) -> deque[tuple[Example, frozenset[str]]]:
        key = request.owner, family(request)
        found = self._known.pop(key, None) or deque(maxlen=_KEPT)
        self._known[key] = found
        if len(self._known) > _FAMILIES:
            del self._known[next(iter(self._known))]
        return found


def _open_to(decision: Decision) -> frozenset[str]:
    """The tiers that might have seen the request: those that were passed over for its form, its length or their own state too."""
    passed = {skip.tier for skip in decision.skipped if skip.reason not in ("residency", "guard")}
    return frozenset(decision.permitted) | passed


def _form(contract: Contract) -> Sequence[str]:
    if contract.kind == "json_schema":
        return ("Answer with JSON only:", sketch(contract.schema or {}))
    choice = contract.tool_choice
    offered = [tool for tool in contract.tools if choice.mode != "named" or tool.name in choice.names]
    form = 'Answer with JSON only: {"tool_calls":[{"name":FUNCTION,"arguments":{…}}]}'
    form += f' or {{"message":{_told(contract.form)}}}' if choice.mode == "auto" else ""
    return (form, *(() if contract.parallel else ("Call one function at most.",)), "Functions:", *map(signature, offered))


def _told(form: Contract | None) -> str:
    return "TEXT" if form is None else sketch(form.schema or {})


def _call(name: str, arguments: Mapping[str, object]) -> str:
    return json.dumps({"tool_calls": [{"name": name, "arguments": arguments}]}, ensure_ascii=False, separators=(",", ":"))


def _fits(answer: str, full: Contract, shown: Contract) -> bool:
    """Whether no call of it is to a tool that this tier is not shown."""
    hidden = {tool.name for tool in full.tools} - {tool.name for tool in shown.tools}
    return not any(f'"name":"{name}"' in answer for name in hidden)


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))
