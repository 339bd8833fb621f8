"""`POST /v1/responses`: a response object, whole or as its events."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter
from pydantic_core import to_json

from router.errors import Overloaded, SmallfirstError
from router.events import Finished
from router.types import Choice, Chunk, Generation, Token, ToolCall, Usage
from server.api import errors
from server.api.answering import Asked, Dialect
from server.api.conversations import PREFIX, keep, recall
from server.api.deltas import pieces, spoken, words
from server.api.openapi import body_of
from server.api.render import Json, Stamp, logprobs
from server.api.rephrasing import named, translate, wants_logprobs
from server.api.responding import ResponsesRequest

router = APIRouter()


def whole(asked: Asked[ResponsesRequest], generation: Generation, stamp: Stamp) -> Json:
    """A finished response; its usage counts this answer alone."""
    choice = generation.choices[0]
    said = stamp.answer(asked.request, choice)
    ended = ending(choice)
    parts = [reasoned(choice.reasoning)] if choice.reasoning else []
    parts += [part(said.content, _logprobs(asked, choice.tokens))] if said.content is not None else []
    parts += [refused(said.refusal)] if said.refusal is not None else []
    last = -1 if said.tool_calls else len(parts) - 1
    output = [item(stamp, index, told, ended if index == last else "completed") for index, told in enumerate(parts)]
    output += [call(stamp, len(output) + index, made, ended) for index, made in enumerate(said.tool_calls)]
    return finished(asked, stamp, output, choice, generation.usage)


async def kept(asked: Asked[ResponsesRequest], told: Json) -> Json:
    """The response as it was stored, or saying that it was not; one that had to stay inside says so, for what goes on from it."""
    if asked.request.inside_only:
        told = told | {"metadata": {**(asked.body.metadata or {}), "residency": "inside"}}
    return told | {"store": await keep(asked.asking.parts.conversations, asked.body, told, asked.request.owner)}


def envelope(body: ResponsesRequest, stamp: Stamp, status: str) -> Json:
    """A response without its output: what was asked is told back, as OpenAI does."""
    given = body.model_dump(mode="json", by_alias=True, exclude_none=True, include={"text", "tools", "tool_choice", "reasoning"})
    text = given.get("text", {})
    return {
        "id": stamp.id,
        "object": "response",
        "created_at": stamp.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "max_tool_calls": None,
        "metadata": body.metadata or {},
        "model": stamp.model,
        "output": [],
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "previous_response_id": body.previous_response_id,
        "reasoning": {"effort": None, "summary": None, **given.get("reasoning", {})},
        "service_tier": "default",
        "store": body.store is not False,
        "temperature": body.temperature,
        "text": {"format": {"type": "text"}, **text},
        "tool_choice": given.get("tool_choice", "auto"),
        "tools": [{"parameters": None, "strict": None, **tool} for tool in given.get("tools", ())],
        "top_logprobs": body.top_logprobs or 0,
        "top_p": body.top_p,
        "truncation": "disabled",
        "usage": None,
        "user": body.user,
    }


def finished(asked: Asked[ResponsesRequest], stamp: Stamp, output: Sequence[Json], choice: Choice, counted: Usage) -> Json:
    """The response at its end."""
    why = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(choice.finish_reason)
    told: Json = {"output": output, "usage": usage(counted), "incomplete_details": {"reason": why} if why else None}
    return envelope(asked.body, stamp, ending(choice)) | told


def ending(choice: Choice) -> str:
    """Whether the answer is whole, in this endpoint's words."""
    return "completed" if choice.finish_reason in ("stop", "tool_calls", "refusal") else "incomplete"


def usage(counted: Usage) -> Json:
    """The usage object of this endpoint."""
    return {
        "input_tokens": counted.prompt_tokens,
        "input_tokens_details": {"cached_tokens": counted.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": counted.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": counted.reasoning_tokens},
        "total_tokens": counted.total_tokens,
    }


def item(stamp: Stamp, index: int, said: Json, status: str, *, begun: bool = False) -> Json:
    """The item at `index` of the output that holds this part, or none yet where it has only `begun`: a thought, else a message."""
    content = [] if begun else [said]
    if said["type"] == "reasoning_text":
        return {"id": f"rs_{_bare(stamp)}_{index}", "type": "reasoning", "summary": [], "content": content, "status": status}
    return {"id": f"msg_{_bare(stamp)}_{index}", "type": "message", "role": "assistant", "status": status, "content": content}


def part(text: str, found: Sequence[object] = ()) -> Json:
    """The content part of a text."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": found}


def refused(text: str) -> Json:
    """The content part of a refusal."""
    return {"type": "refusal", "refusal": text}


def reasoned(text: str) -> Json:
    """The content part of a thought."""
    return {"type": "reasoning_text", "text": text}


def call(stamp: Stamp, index: int, made: ToolCall, status: str) -> Json:
    """The item of a function call."""
    identity = {"id": f"fc_{_bare(stamp)}_{index}", "call_id": made.id}
    return {**identity, "type": "function_call", "name": made.name, "arguments": made.arguments, "status": status}


def _bare(stamp: Stamp) -> str:
    return stamp.id.removeprefix(PREFIX)


def _logprobs(asked: Asked[ResponsesRequest], tokens: Sequence[Token]) -> list[object]:
    found = logprobs(tokens, asked.request.sampling.top_logprobs) if wants_logprobs(asked.body) else None
    content = found["content"] if found else []
    return list(content) if isinstance(content, list) else []


@dataclass(slots=True)
class Events:
    """Tells one answer as this endpoint's events, in order and numbered; `told` is what came so far of the part that is open."""

    asked: Asked[ResponsesRequest]
    stamp: Stamp
    sent: int = 0
    output: list[Json] = field(default_factory=list)
    open_part: Json | None = None
    told: list[str] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)

    def replay(self, generation: Generation) -> Iterator[bytes]:
        """A judged answer: its thoughts at once, its text in words, its function calls in pieces."""
        yield from self._begin()
        choice = generation.choices[0]
        said, ended = self.stamp.answer(self.asked.request, choice), ending(choice)
        if choice.reasoning:
            yield from self._say(reasoned(""), choice.reasoning)
        if said.content is not None:
            yield from self._turn(part(""))
            tokens = choice.tokens if wants_logprobs(self.asked.body) else ()
            for piece, own in spoken(said.content, tokens):
                yield from self._say(part(""), piece, own)
        for word in words(said.refusal or ""):
            yield from self._say(refused(""), word)
        for made in said.tool_calls:
            yield from self._close("completed")
            yield from self._call(made, ended)

    def open(self) -> Iterator[bytes]:
        """The head of a live answer."""
        yield from self._begin()

    def live(self, chunk: Chunk) -> Iterator[bytes]:
        """A piece of a thought or of text as it came."""
        if chunk.reasoning:
            yield from self._say(reasoned(""), chunk.reasoning)
        if chunk.text:
            yield from self._say(part(""), chunk.text, chunk.tokens)

    async def end(self, last: Finished) -> AsyncIterator[bytes]:
        """The ends of the items and of the response, which carries the usage and the account; or the response that failed."""
        if last.error is not None or last.generation is None:
            yield self._failed(last.error or SmallfirstError("internal error"))
            return
        choice = last.generation.choices[0]
        if not self.output and self.open_part is None:
            yield b"".join(self._turn(part("")))
        yield b"".join(self._close(ending(choice)))
        told = await kept(self.asked, finished(self.asked, self.stamp, self.output, choice, last.generation.usage))
        told["smallfirst"] = self.asked.account(last.outcome)
        yield self._event(f"response.{ending(choice)}", response=told)

    def _begin(self) -> Iterator[bytes]:
        begun = envelope(self.asked.body, self.stamp, "in_progress")
        yield self._event("response.created", response=begun)
        yield self._event("response.in_progress", response=begun)

    def _turn(self, to: Json) -> Iterator[bytes]:
        """Begin with a part like this one, unless such a one is open; the one before it is whole."""
        if self.open_part is not None and self.open_part["type"] == to["type"]:
            return
        yield from self._close("completed")
        self.open_part = to
        begun = item(self.stamp, len(self.output), to, "in_progress", begun=True)
        yield self._event("response.output_item.added", output_index=len(self.output), item=begun)
        yield self._event("response.content_part.added", **self._place(to), part=to)

    def _say(self, to: Json, piece: str, tokens: Sequence[Token] = ()) -> Iterator[bytes]:
        yield from self._turn(to)
        self.told.append(piece)
        self.tokens.extend(tokens)
        found = {"logprobs": _logprobs(self.asked, tokens)} if "logprobs" in to else {}
        yield self._event(f"response.{to['type']}.delta", **self._place(to), delta=piece, **found)

    def _close(self, status: str) -> Iterator[bytes]:
        if self.open_part is None:
            return
        whole = dict(self.open_part)
        named = "refusal" if "refusal" in whole else "text"
        whole[named] = "".join(self.told)
        found = {"logprobs": _logprobs(self.asked, self.tokens)} if "logprobs" in whole else {}
        whole |= found
        yield self._event(f"response.{whole['type']}.done", **self._place(whole), **{named: whole[named]}, **found)
        yield self._event("response.content_part.done", **self._place(whole), part=whole)
        yield self._done(item(self.stamp, len(self.output), whole, status))
        self.open_part, self.told, self.tokens = None, [], []

    def _call(self, made: ToolCall, status: str) -> Iterator[bytes]:
        index = len(self.output)
        made_item = call(self.stamp, index, made, status)
        place: Json = {"item_id": made_item["id"], "output_index": index}
        yield self._event("response.output_item.added", output_index=index, item={**made_item, "arguments": "", "status": "in_progress"})
        for piece in pieces(made.arguments):
            yield self._event("response.function_call_arguments.delta", **place, delta=piece)
        yield self._event("response.function_call_arguments.done", **place, name=made.name, arguments=made.arguments)
        yield self._done(made_item)

    def _done(self, ended: Json) -> bytes:
        self.output.append(ended)
        return self._event("response.output_item.done", output_index=len(self.output) - 1, item=ended)

    def _place(self, of: Json) -> Json:
        index = len(self.output)
        return {"item_id": item(self.stamp, index, of, "")["id"], "output_index": index, "content_index": 0}

    def _failed(self, error: SmallfirstError) -> bytes:
        code = "rate_limit_exceeded" if isinstance(error, Overloaded) else "server_error"
        told = {"error": {"code": code, "message": error.message}, "output": self.output}
        return self._event("response.failed", response=envelope(self.asked.body, self.stamp, "failed") | told)

    def _event(self, kind: str, **told: object) -> bytes:
        self.sent += 1
        return _framed(kind, {"type": kind, "sequence_number": self.sent - 1, **told})


def failed(error: SmallfirstError) -> bytes:
    """A failure before there was any response to fail."""
    told = {"type": "error", "sequence_number": 0, "code": error.code, "message": error.message, "param": error.param}
    return _framed("error", told)


def _framed(kind: str, payload: Mapping[str, object]) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + to_json(payload) + b"\n\n"


RESPONSES = Dialect(PREFIX, ResponsesRequest, translate, whole, Events, failed, recall, named, kept)
router.post(
    "/v1/responses",
    name="responses",
    description="A response, whole or as server-sent events.",
    responses=errors.documented(),
    openapi_extra=body_of(ResponsesRequest),
)(RESPONSES)
