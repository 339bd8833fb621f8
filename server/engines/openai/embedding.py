"""Embeddings on the wire: what is asked of the server, and what its answer must be."""

from codecs import BOM_UTF8
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import from_json, to_json

from router.errors import EngineProtocolError
from router.types import EmbeddingCall, Embeddings, Usage
from server.engines.openai.errors import of_body

_LARGEST = 3.4028234e38
"""Of the 32-bit floats that clients are sent."""


class _Vector(BaseModel):
    index: int
    embedding: tuple[Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)], ...] = Field(min_length=1)


class _Usage(BaseModel):
    prompt_tokens: int = Field(default=0, ge=0, lt=2**31)


class _Answer(BaseModel):
    data: list[_Vector]
    usage: _Usage = _Usage()


def asked(model: str, call: EmbeddingCall) -> bytes:
    """The request's body; vectors are always asked for as numbers, so that they can be checked."""
    shortened = {} if call.dimensions is None else {"dimensions": call.dimensions}
    return to_json({"model": model, "input": call.texts, "encoding_format": "float", **shortened})


def read(body: bytes, call: EmbeddingCall, secret: str | None) -> Embeddings:
    """The vectors in the order of the texts; raises the EngineFailure that the body is instead."""
    try:
        document = from_json(body.removeprefix(BOM_UTF8))
        if isinstance(document, dict) and document.get("error"):
            raise of_body(document["error"], secret)
        answer = _Answer.model_validate(document)
    except ValidationError:
        raise EngineProtocolError("the engine's answer is no list of embeddings") from None
    except ValueError:
        raise EngineProtocolError("the engine's answer is no JSON") from None
    vectors = {vector.index: vector.embedding for vector in answer.data}
    if sorted(vectors) != list(range(len(call.texts))) or len({len(vector) for vector in vectors.values()}) != 1:
        raise EngineProtocolError("the engine gave other embeddings than were asked for")
    if call.dimensions is not None and len(vectors[0]) != call.dimensions:
        raise EngineProtocolError(f"the engine gave embeddings of {len(vectors[0])} dimensions, not of {call.dimensions}")
    return Embeddings(tuple(vectors[index] for index in sorted(vectors)), Usage(answer.usage.prompt_tokens))
