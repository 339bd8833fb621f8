"""`POST /v1/chat/completions`."""

from fastapi import APIRouter

from router.types import Choice, Generation, GenerationRequest
from server.api import errors
from server.api.answering import Asked, Dialect
from server.api.deltas import ChatDeltas
from server.api.openapi import body_of
from server.api.render import Json, Stamp, finish_reason, thought, tool_call, usage, written
from server.api.telling import Chunks, failed
from server.api.translate import translate
from server.api.wire import ChatRequest

router = APIRouter()


def whole(asked: Asked[ChatRequest], generation: Generation, stamp: Stamp) -> Json:
    """A ChatCompletion; its usage counts this answer alone."""
    choices = [_choice(asked.request, index, choice, stamp) for index, choice in enumerate(generation.choices)]
    return {**stamp.object("chat.completion", choices), "usage": usage(generation.usage)}


def _choice(request: GenerationRequest, index: int, choice: Choice, stamp: Stamp) -> Json:
    answer = stamp.answer(request, choice)
    message: Json = {"role": "assistant", "content": answer.content, "refusal": answer.refusal}
    if answer.tool_calls:
        message["tool_calls"] = [tool_call(call.id, call.name, call.arguments) for call in answer.tool_calls]
    if choice.reasoning:
        message |= thought(choice.reasoning)
    asked = request.sampling.logprobs
    found = written(choice.tokens, request.sampling.top_logprobs) if asked else None
    return {"index": index, "message": message, "logprobs": found, "finish_reason": finish_reason(answer, choice)}


def _telling(asked: Asked[ChatRequest], stamp: Stamp) -> Chunks:
    return Chunks("chat.completion.chunk", stamp, ChatDeltas(asked.request, stamp), asked.body.include_usage, asked.account)


CHAT = Dialect("chatcmpl-", ChatRequest, translate, whole, _telling, failed)
router.post(
    "/v1/chat/completions",
    name="chat",
    description="A chat completion, whole or as server-sent events.",
    responses=errors.documented(),
    openapi_extra=body_of(ChatRequest),
)(CHAT)
