"""One JSON line a request: what was decided and what it took, never what was said."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from router.types import GenerationRequest, Outcome


@dataclass(frozen=True, slots=True)
class Logs:
    """Writes outcomes; `wall` is in seconds since the epoch, `client_id` the id that the HTTP answer bears."""

    write: Callable[[str], object]
    wall: Callable[[], float]
    client_id: Callable[[], str]

    def observe(self, request: GenerationRequest, outcome: Outcome) -> None:
        """One line for one outcome."""
        self.write(json.dumps(line(request, outcome) | {"time": round(self.wall(), 3), "request_id": self.client_id()}))


def line(request: GenerationRequest, outcome: Outcome) -> dict[str, object]:
    """The facts of an outcome that hold no text of the client or the model."""
    kept = outcome.kept
    return {
        "event": "request",
        "id": outcome.request_id,
        "route": outcome.route,
        "pinned": request.pinned,
        "contract": request.contract.kind,
        "stream": outcome.stream,
        "code": outcome.code,
        "tier": kept.tier if kept else None,
        "attempts": [attempt.tier for attempt in outcome.attempts],
        "deferrals": list(outcome.deferrals),
        "confidence": kept.confidence if kept else None,
        "seconds": round(outcome.seconds, 6),
        "cost_usd": outcome.cost,
        "prompt_tokens": outcome.usage.prompt_tokens,
        "completion_tokens": outcome.usage.completion_tokens,
    }
