"""`POST /v1/completions`: the older endpoint, as a chat of one user message."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from fastapi import APIRouter

from router.contract import Limits, text
from router.types import Choice, Chunk, Generation, GenerationRequest, Message, Part
from server.api import errors
from server.api.answering import Asked, Dialect
from server.api.deltas import words
from server.api.naming import RouteFacts, Target
from server.api.openapi import body_of
from server.api.render import Json, Stamp, usage
from server.api.telling import Chunks, failed
from server.api.translate import sampling, structured
from server.api.wire import CompletionRequest

router = APIRouter()


def translate(body: CompletionRequest, target: Target, facts: RouteFacts, request_id: str, limits: Limits) -> GenerationRequest:
    """The request as the cascade sees it; raises InvalidRequest or UnsupportedParameter naming the field."""
    return GenerationRequest(
        id=request_id,
        route=target.route,
        messages=(Message("user", (Part("text", body.text),)),),
        contract=text() if body.structured_outputs is None else structured(body.structured_outputs, limits),
        sampling=sampling(body, body.max_tokens, facts, logprobs=False, top=0),
        budget=facts.budget,
        pinned=target.pinned,
        stream=bool(body.stream),
        inside_only=facts.inside_only,
    )


def whole(_asked: Asked[CompletionRequest], generation: Generation, stamp: Stamp) -> Json:
    """A text completion; its usage counts this answer alone."""
    choices = [_choice(index, *_said(choice)) for index, choice in enumerate(generation.choices)]
    return {**stamp.object("text_completion", choices), "usage": usage(generation.usage)}


@dataclass(slots=True)
class TextDeltas:
    """Makes the `choices` of each chunk, and knows why each choice ended."""

    request: GenerationRequest
    reasons: dict[int, str] = field(default_factory=dict)

    def replay(self, generation: Generation) -> Iterator[list[Json]]:
        """A judged answer in words."""
        for index, choice in enumerate(generation.choices):
            text, self.reasons[index] = _said(choice)
            for word in words(text):
                yield [_choice(index, word)]

    def open(self) -> Iterator[list[Json]]:
        """A live answer has no head."""
        return iter(())

    def live(self, chunk: Chunk) -> Iterator[list[Json]]:
        """A piece as it came; its end is told only with the outcome."""
        if chunk.finish_reason is not None:
            self.reasons[chunk.index] = chunk.finish_reason
        if chunk.text:
            yield [_choice(chunk.index, chunk.text)]

    def ends(self) -> Iterator[list[Json]]:
        """The last piece of each choice."""
        for index, reason in sorted(self.reasons.items()):
            yield [_choice(index, "", reason)]


def _telling(asked: Asked[CompletionRequest], stamp: Stamp) -> Chunks:
    return Chunks("text_completion", stamp, TextDeltas(asked.request), asked.body.include_usage, asked.account)


COMPLETIONS = Dialect("cmpl-", CompletionRequest, translate, whole, _telling, failed)
router.post(
    "/v1/completions",
    name="completions",
    description="A text completion, whole or as server-sent events.",
    responses=errors.documented(),
    openapi_extra=body_of(CompletionRequest),
)(COMPLETIONS)


def _said(choice: Choice) -> tuple[str, str]:
    """Text and finish reason; this endpoint has no word for a refusal, which is no text of the form that was demanded."""
    return ("", "content_filter") if choice.finish_reason == "refusal" else (choice.text, choice.finish_reason)


def _choice(index: int, text: str, reason: str | None = None) -> Json:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": reason}
