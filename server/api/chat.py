"""`POST /v1/chat/completions`."""

from fastapi import APIRouter, Request, Response

from server.api import errors
from server.api.answering import Dialect, answer
from server.api.deltas import ChatDeltas
from server.api.openapi import body_of
from server.api.render import completion
from server.api.translate import translate
from server.api.wire import ChatRequest

router = APIRouter()
CHAT = Dialect("chatcmpl-", "chat.completion.chunk", ChatRequest, translate, completion, ChatDeltas)


@router.post("/v1/chat/completions", responses=errors.documented(), openapi_extra=body_of(ChatRequest))
async def chat(request: Request) -> Response:
    """A chat completion, whole or as server-sent events."""
    return await answer(request, CHAT)
