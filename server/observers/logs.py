"""The decision log: one JSON line a request, itself a replay record.

A line says what was decided and what it took. Where the last tier answered after a smaller one had drafted, the draft is labelled by that
answer, as in the store: of a route in shadow mode every line that structure can compare is. Without content no word of the client or of a
model is in it; features of labelled drafts stand in place of their text.
"""

from collections.abc import Callable
from dataclasses import dataclass

from router.types import GenerationRequest, Outcome
from server.observers.outcomes.content import kept
from server.observers.outcomes.encoding import dumped, fitted, micro, told
from server.observers.outcomes.export import recorded
from server.observers.outcomes.labelling import escalated

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Logs:
    """Writes outcomes; `wall` is in seconds since the epoch, `client_id` the id that the HTTP answer bears, `content` asks for text."""

    write: Callable[[str], object]
    wall: Callable[[], float]
    client_id: Callable[[], str]
    content: bool = False

    def observe(self, request: GenerationRequest, outcome: Outcome) -> None:
        """One line for one outcome."""
        head = {"event": "request", "time": round(self.wall(), 3), "request_id": self.client_id()}
        self.write(dumped(head | line(request, outcome, content=self.content)))


def line(request: GenerationRequest, outcome: Outcome, *, content: bool = False) -> Json:
    """The record of an outcome, the facts in short, and every attempt with its verdicts."""
    labels, said, usage = escalated(request, outcome, 0.0), told(request, outcome, words=content), outcome.usage
    known = fitted(request, outcome, said) if labels and not content else said.body
    record = recorded(outcome.request_id, said.family, known, kept(request, outcome) if content else {}, labels)
    return {
        **record,
        "route": outcome.route,
        "code": outcome.code,
        "tier": said.tier,
        "why": outcome.decision.why,
        "deferrals": outcome.deferrals,
        "confidence": None if outcome.answer is None else said.body["attempts"][outcome.answer]["confidence"],
        "seconds": micro(outcome.seconds),
        "cost_usd": said.cost,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        **said.body,
    }
