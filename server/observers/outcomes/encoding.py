"""What the store keeps of an outcome: numbers and names always, words only where the operator wants content."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from router.calibration.features import features
from router.types import Attempt, Contract, Draft, Generation, GenerationRequest, Outcome, Usage, Verdict
from server.observers.outcomes import content
from server.observers.outcomes.ports import Row

Json = dict[str, object]
_FAMILY = 128


@dataclass(frozen=True, slots=True)
class Encoder:
    """Makes rows; `content` says whether prompts and answers are kept."""

    content: bool = False

    def row(self, request: GenerationRequest, outcome: Outcome, at: float) -> Row:
        """The outcome of a request that ended `at` seconds since the epoch."""
        kept = outcome.kept
        confidences = (attempt.confidence for attempt in outcome.attempts)
        return Row(
            outcome.request_id,
            at,
            outcome.route,
            family(request),
            outcome.code,
            kept.tier if kept else None,
            next((value for value in confidences if value is not None), None),
            outcome.cost,
            outcome.seconds,
            dumped(self._body(request, outcome)),
            dumped(content.kept(request, outcome)) if self.content else None,
        )

    def _body(self, request: GenerationRequest, outcome: Outcome) -> Json:
        return {
            "contract": request.contract.kind,
            "pinned": request.pinned,
            "stream": outcome.stream,
            "first_token_seconds": outcome.first_token_seconds,
            "answer": outcome.answer,
            "permitted": list(outcome.decision.permitted),
            "skipped": [{"tier": skip.tier, "reason": skip.reason} for skip in outcome.decision.skipped],
            "attempts": [self._attempt(request, outcome, index) for index in range(len(outcome.attempts))],
        }

    def _attempt(self, request: GenerationRequest, outcome: Outcome, index: int) -> Json:
        attempt = outcome.attempts[index]
        return {
            "tier": attempt.tier,
            "kind": attempt.kind,
            "deferral": attempt.deferral,
            "error": attempt.failure.code if attempt.failure else None,
            "cancelled": attempt.cancelled,
            "finish_reason": attempt.generation.choices[0].finish_reason if attempt.generation else None,
            "confidence": attempt.confidence,
            "seconds": round(attempt.seconds, 6),
            "usage": usage(attempt.usage),
            "cost": attempt.cost,
            "joules": attempt.joules,
            "energy_method": attempt.energy.method if attempt.energy else None,
            "verdicts": [self._verdict(verdict) for verdict in attempt.verdicts],
            "features": _features(request, outcome, attempt, outcome.attempts[:index]),
        }

    def _verdict(self, verdict: Verdict) -> Json:
        """A reason and a violation's path may quote the draft."""
        words: Json = {"reason": verdict.reason, "paths": [v.path for v in verdict.violations]} if self.content else {}
        return {
            "verifier": verdict.verifier,
            "ruling": verdict.ruling.value,
            "confidence": verdict.confidence,
            "score": verdict.score,
            "cost": verdict.cost,
            "violations": len(verdict.violations),
            **words,
        }


def family(request: GenerationRequest) -> str:
    """The client's own `group`, or the kind of the contract with a fingerprint of its schema: never of the prompt."""
    given = dict(request.metadata).get("group")
    return _printable(given)[:_FAMILY] if given else _form(request.contract)


def usage(counted: Usage) -> Json:
    """Tokens as replay records have them."""
    return {"prompt_tokens": counted.prompt_tokens, "completion_tokens": counted.completion_tokens}


def dumped(value: Json) -> str:
    """Compact JSON in ASCII: no database minds it."""
    return json.dumps(value, separators=(",", ":"))


def _form(contract: Contract) -> str:
    said = contract.text or json.dumps(contract.choices)
    return contract.kind if contract.kind == "none" else f"{contract.kind}:{hashlib.blake2b(said.encode(), digest_size=4).hexdigest()}"


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable() and character.isascii())


def _features(request: GenerationRequest, outcome: Outcome, attempt: Attempt, earlier: Sequence[Attempt]) -> Json | None:
    """Of drafts that could have been deferred; what is unknown is left out."""
    if attempt.generation is None or attempt.tier == outcome.decision.permitted[-1]:
        return None
    found = features(_draft(request, attempt, attempt.generation, earlier))
    return {name: round(value, 6) for name, value in found.items() if math.isfinite(value)}


def _draft(request: GenerationRequest, attempt: Attempt, generation: Generation, earlier: Sequence[Attempt]) -> Draft:
    repairs = sum(other.tier == attempt.tier for other in earlier)
    return Draft(request, attempt.tier, generation.choices[0], generation.samples, repairs)
