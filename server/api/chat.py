"""`POST /v1/chat/completions`."""

from fastapi import APIRouter

from router.types import Generation
from server.api import errors
from server.api.answering import Asked, Dialect
from server.api.deltas import ChatDeltas
from server.api.openapi import body_of
from server.api.render import Json, Stamp, completion
from server.api.telling import Chunks, failed
from server.api.translate import translate
from server.api.wire import ChatRequest

router = APIRouter()


def _whole(asked: Asked[ChatRequest], generation: Generation, stamp: Stamp) -> Json:
    return completion(asked.request, generation, stamp)


def _telling(asked: Asked[ChatRequest], stamp: Stamp) -> Chunks:
    return Chunks("chat.completion.chunk", stamp, ChatDeltas(asked.request, stamp), asked.body.include_usage, asked.account)


CHAT = Dialect("chatcmpl-", ChatRequest, translate, _whole, _telling, failed)
router.post(
    "/v1/chat/completions",
    name="chat",
    description="A chat completion, whole or as server-sent events.",
    responses=errors.documented(),
    openapi_extra=body_of(ChatRequest),
)(CHAT)
