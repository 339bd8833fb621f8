"""From the domain's words back to OpenAI's: pure functions that make plain JSON objects."""

from collections.abc import Sequence
from itertools import repeat

import msgspec
from pydantic_core import to_jsonable_python

from router import contract as form
from router.compiled import compiled
from router.contract import Answer
from router.loops import call_id
from router.types import Candidate, Choice, GenerationRequest, Token, Usage
from router.types.records import record

Json = dict[str, object]

encoded = msgspec.json.Encoder(enc_hook=to_jsonable_python).encode
"""Compact JSON as bytes; what is neither plain nor a dataclass is told as pydantic would tell it."""


@record(frozen=True, slots=True)
class Stamp:
    """What every object of one answer repeats; `created` is in seconds since the epoch, `tier` the one that answers, which `model` pins."""

    id: str
    created: int
    tier: str
    model: str

    def answer(self, request: GenerationRequest, choice: Choice) -> Answer:
        """What the client gets; the ids of its calls lead a later request back to this tier."""
        return form.answer(request.contract, choice, lambda: call_id(self.tier))

    def object(self, kind: str, choices: Sequence[Json]) -> Json:
        """The envelope of an answer or of one of its chunks."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}


def usage(counted: Usage) -> Json:
    """OpenAI's usage object."""
    return {
        "prompt_tokens": counted.prompt_tokens,
        "completion_tokens": counted.completion_tokens,
        "total_tokens": counted.total_tokens,
        "prompt_tokens_details": {"cached_tokens": counted.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": counted.reasoning_tokens},
    }


def finish_reason(answer: Answer, choice: Choice) -> str:
    """Why the answer ended, as the client must be told."""
    if answer.refusal is not None:
        return "stop"
    return "tool_calls" if answer.tool_calls else choice.finish_reason


@compiled("written")
def written(tokens: Sequence[Token], top: int) -> msgspec.Raw | None:
    """The `logprobs` as JSON."""
    found = logprobs(tokens, top)
    return None if found is None else msgspec.Raw(encoded(found))


def logprobs(tokens: Sequence[Token], top: int) -> Json | None:
    """Log-probabilities of the distribution the tokens were drawn from; `None` where an engine gave none."""
    if not tokens or None in [token.logprob for token in tokens]:
        return None
    content = _entries(tokens)
    others = [_entries((token.masked_top or token.top)[:top]) for token in tokens] if top else repeat(())
    for entry, other in zip(content, others, strict=False):
        entry["top_logprobs"] = other
    return {"content": content, "refusal": None}


def tool_call(call_id: str, name: str, arguments: str) -> Json:
    """One call, whole or the head of a streamed one."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def thought(text: str) -> Json:
    """What the model thought, by both names that servers give it: vLLM's and that of all others."""
    return {"reasoning": text, "reasoning_content": text}


def _entries(tokens: Sequence[Token | Candidate]) -> list[Json]:
    return [{"token": one.text, "logprob": one.logprob, "bytes": [*one.text.encode()]} for one in tokens]
