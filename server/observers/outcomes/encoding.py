"""What the store keeps of an outcome: numbers and names always, words only where the operator wants content."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter, itemgetter
from typing import Any, TypeVar

import msgspec

from router.calibration.family import family
from router.calibration.features import features, written
from router.types import Attempt, Draft, Generation, GenerationRequest, Outcome, Ruling, Usage, Verdict
from router.types.records import record
from server.observers.outcomes import content
from server.observers.outcomes.ports import Row

Json = dict[str, Any]
Known = TypeVar("Known")
DIGITS = 6
_judged_by: Callable[[Verdict], Mapping[str, float] | None] = attrgetter("features")
_confidence: Callable[[Json], float | None] = itemgetter("confidence")
_measured: Callable[[Verdict], tuple[object, ...]] = attrgetter("confidence", "score", "cost", "violations")
_UNMEASURED = (None, None, 0.0, ())
_TERSE = frozenset({"contract", "function", "confidence", "agreement", "guard", "rule"})
"""Verifiers whose reasons are words of this program or of the configuration."""
_ASKED = frozenset({"judge", "webhook"})
"""Verifiers whose rulings come with somebody's own words, and whose failures with a word of this program."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """Makes rows; `content` says whether prompts and answers are kept."""

    content: bool = False

    def row(self, request: GenerationRequest, outcome: Outcome, at: float) -> Row:
        """The outcome of a request that ended `at` seconds since the epoch."""
        said = told(request, outcome, words=self.content)
        body = fitted(request, outcome, said)
        return Row(
            outcome.request_id,
            at,
            outcome.route,
            said.family,
            outcome.code,
            said.tier,
            _first(map(_confidence, body["attempts"])),
            said.cost,
            outcome.seconds,
            dumped(body),
            dumped(content.kept(request, outcome)) if self.content else None,
            request.owner,
        )


@record(frozen=True, slots=True)
class Told:
    """What is said of an outcome: the family of its request, who answered, the dollars, and what was decided and what it took."""

    family: str
    tier: str | None
    cost: float
    body: Json


def told(request: GenerationRequest, outcome: Outcome, *, words: bool) -> Told:
    """It is put together once, for all who tell it; `words` adds what may quote an answer."""
    known: Told | None = outcome.told.get(words)
    if known is None:
        kept, body = outcome.kept, _body(request, outcome, words=words)
        known = outcome.told[words] = Told(family(request), None if kept is None else kept.tier, outcome.cost, body)
    return known


def micro(seconds: float) -> float:
    """To the microsecond; `round` goes by the decimal digits, and takes ten times as long."""
    return int(seconds * 1e6 + 0.5) / 1e6


def fitted(request: GenerationRequest, outcome: Outcome, said: Told) -> Json:
    """The body with the features that a fit needs, which are JSON already."""
    attempts = [attempt | {"features": _features(request, outcome, place)} for place, attempt in enumerate(said.body["attempts"])]
    return said.body | {"attempts": attempts}


def _body(request: GenerationRequest, outcome: Outcome, *, words: bool) -> Json:
    decision = outcome.decision
    return {
        "contract": request.contract.kind,
        "pinned": request.pinned,
        "stream": outcome.stream,
        "first_token_seconds": outcome.first_token_seconds,
        "answer": outcome.answer,
        "permitted": decision.permitted,
        "skipped": [{"tier": skip.tier, "reason": skip.reason} for skip in decision.skipped] if decision.skipped else (),
        "attempts": [_attempt(attempt, words=words) for attempt in outcome.attempts],
    }


def _attempt(attempt: Attempt, *, words: bool) -> Json:
    generation, failure, energy = attempt.generation, attempt.failure, attempt.energy
    return {
        "tier": attempt.tier,
        "kind": attempt.kind,
        "deferral": attempt.deferral,
        "error": None if failure is None else failure.code,
        "cancelled": attempt.cancelled,
        "finish_reason": None if generation is None else generation.choices[0].finish_reason,
        "confidence": attempt.confidence,
        "seconds": micro(attempt.seconds),
        "usage": usage(attempt.usage),
        "cost": attempt.cost,
        "joules": None if energy is None else energy.joules,
        "energy_method": None if energy is None else energy.method,
        "verdicts": [
            _bare(one.verifier, one.ruling, one.reason, words) if _measured(one) == _UNMEASURED else _verdict(one, words=words)
            for one in attempt.verdicts
        ],
    }


@lru_cache(1024)
def _bare(verifier: str, ruling: Ruling, reason: str, words: bool) -> msgspec.Raw:
    """A verdict without numbers, as JSON already: there are a few of them, which come with every request."""
    return msgspec.Raw(dumped(_verdict(Verdict(verifier, ruling, reason), words=words)).encode())


def _verdict(verdict: Verdict, *, words: bool) -> Json:
    """A violation's path may quote the draft, and so may a reason that is not one of this program's own words."""
    found: Json = {
        "verifier": verdict.verifier,
        "ruling": verdict.ruling,
        "confidence": verdict.confidence,
        "score": verdict.score,
        "cost": verdict.cost,
        "violations": len(verdict.violations),
    }
    if words or verdict.verifier in _TERSE or (verdict.verifier in _ASKED and verdict.ruling is Ruling.UNABLE):
        found["reason"] = verdict.reason
    if words:
        found["paths"] = [violation.path for violation in verdict.violations]
    return found


def usage(counted: Usage) -> Json:
    """Tokens as replay records have them."""
    return {"prompt_tokens": counted.prompt_tokens, "completion_tokens": counted.completion_tokens}


_JSON = msgspec.json.Encoder()


def dumped(value: Json) -> str:
    """Compact JSON in ASCII: no database minds it. What is not ASCII takes the long way."""
    try:
        return _JSON.encode(value).decode("ascii")
    except UnicodeError:  # among it half a character, which a model may have said
        return json.dumps(value, separators=(",", ":"), default=json.loads)


def _features(request: GenerationRequest, outcome: Outcome, place: int) -> msgspec.Raw | None:
    """Of drafts that could have been deferred, those that it was judged by where there are any; what is unknown is left out."""
    attempt = outcome.attempts[place]
    if attempt.generation is None or attempt.tier == outcome.decision.permitted[-1]:
        return None
    known = next(filter(None, map(_judged_by, attempt.verdicts)), None)
    if known is None:
        known = features(_draft(request, attempt, attempt.generation, outcome.attempts[:place]))
    return msgspec.Raw(written(known if isinstance(known, dict) else dict(known), DIGITS))


def _first(values: Iterable[Known | None]) -> Known | None:
    """The first that is known."""
    for value in values:
        if value is not None:
            return value
    return None


def _draft(request: GenerationRequest, attempt: Attempt, generation: Generation, earlier: Sequence[Attempt]) -> Draft:
    repairs = sum(other.tier == attempt.tier for other in earlier)
    return Draft(request, attempt.tier, generation.choices[0], generation.samples, repairs)
