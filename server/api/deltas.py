"""A committed answer as OpenAI's stream of deltas: a whole one replayed in natural pieces, a live one chunk by chunk."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from msgspec import Raw

from router.contract import Answer
from router.types import Chunk, Generation, GenerationRequest, Token
from server.api.render import Json, Stamp, finish_reason, thought, tool_call, written

_WORD = re.compile(r"\s*\S+|\s+$")
_ARGUMENTS = re.compile(r".{1,24}", re.DOTALL)


@dataclass(slots=True)
class ChatDeltas:
    """Makes the `choices` of each chunk, and knows why each choice ended."""

    request: GenerationRequest
    stamp: Stamp
    reasons: dict[int, str] = field(default_factory=dict)

    def replay(self, generation: Generation) -> Iterator[list[Json]]:
        """A judged answer: text in words, then tool calls, each as its head and its arguments in pieces."""
        for index, choice in enumerate(generation.choices):
            answer = self.stamp.answer(self.request, choice)
            self.reasons[index] = finish_reason(answer, choice)
            yield [_delta(index, {"role": "assistant", "content": None if answer.content is None else ""})]
            if choice.reasoning:
                yield [_delta(index, thought(choice.reasoning))]
            if answer.content is not None:
                tokens = choice.tokens if self.request.sampling.logprobs else ()
                for text, own in spoken(answer.content, tokens):
                    yield [_delta(index, {"content": text}, self._logprobs(own))]
            for piece in _apart(answer):
                yield [_delta(index, piece)]

    def open(self) -> Iterator[list[Json]]:
        """The head of a live answer, which has one choice only."""
        yield [_delta(0, {"role": "assistant", "content": ""})]

    def live(self, chunk: Chunk) -> Iterator[list[Json]]:
        """A piece of prose as it came; its end is told only with the outcome."""
        if chunk.finish_reason is not None:
            self.reasons[chunk.index] = chunk.finish_reason
        if chunk.reasoning:
            yield [_delta(chunk.index, thought(chunk.reasoning))]
        if chunk.text or (chunk.tokens and self.request.sampling.logprobs):
            yield [_delta(chunk.index, {"content": chunk.text}, self._logprobs(chunk.tokens))]

    def ends(self) -> Iterator[list[Json]]:
        """The last delta of each choice."""
        for index, reason in sorted(self.reasons.items()):
            yield [{"index": index, "delta": {}, "logprobs": None, "finish_reason": reason}]

    def _logprobs(self, tokens: Sequence[Token]) -> Raw | None:
        return written(tokens, self.request.sampling.top_logprobs) if self.request.sampling.logprobs else None


def spoken(text: str, tokens: Sequence[Token]) -> Iterator[tuple[str, Sequence[Token]]]:
    """The text in pieces that join to it again, each with its tokens: one a token where they spell it, else words, the first with all.

    Tokens do not spell the text where an engine leaves marks of its own out of it.
    """
    if tokens and "".join(token.text for token in tokens) == text:
        yield from ((token.text, (token,)) for token in tokens)
        return
    for index, word in enumerate(words(text)):
        yield word, () if index else tokens


def words(text: str) -> list[str]:
    """The text in pieces that join to it again, each a word with the space before it."""
    return _WORD.findall(text)


def pieces(arguments: str) -> list[str]:
    """The arguments of a call in pieces that join to them again."""
    return _ARGUMENTS.findall(arguments)


def _apart(answer: Answer) -> Iterator[Json]:
    """What is told apart from content."""
    for index, call in enumerate(answer.tool_calls):
        yield {"tool_calls": [{"index": index, **tool_call(call.id, call.name, "")}]}
        for piece in pieces(call.arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
    for word in words(answer.refusal or ""):
        yield {"refusal": word}


def _delta(index: int, delta: Json, found: Raw | None = None) -> Json:
    return {"index": index, "delta": delta, "logprobs": found, "finish_reason": None}
