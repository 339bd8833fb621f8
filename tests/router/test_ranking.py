"""Which of many tools a small tier is shown may be told by vectors; where they cannot be had, words decide."""

from dataclasses import replace
from typing import Any

import pytest

from router import contract as contracts
from router.asking import Rate
from router.errors import EngineTimeout
from router.ranking import Likeness, cosine
from router.types import EmbeddingCall, Embeddings, GenerationRequest, Message, Part, Tab, Tool, Usage

TOOLS = [Tool(name, {"type": "object"}, told) for name, told in (("ring", "Call a person."), ("rain", "Weather."), ("song", "Play music."))]
MEANING = {"ring": (1.0, 0.0, 0.0), "rain": (0.0, 1.0, 0.0), "song": (0.0, 0.0, 1.0)}


class Embedder:
    """Knows what the tools mean, and that an umbrella is about rain."""

    def __init__(self, fails: bool = False) -> None:
        self.fails, self.calls = fails, list[EmbeddingCall]()

    async def embed(self, call: EmbeddingCall) -> Embeddings:
        self.calls.append(call)
        if self.fails:
            raise EngineTimeout("slow")
        found = tuple(MEANING.get(text.split(":")[0], (0.1, 0.9, 0.2)) for text in call.texts)
        return Embeddings(found, Usage(len(call.texts)))


def asked(text: str = "do I need an umbrella", **fields: Any) -> GenerationRequest:
    return GenerationRequest("r", "auto", (Message("user", (Part("text", text),)),), contracts.tools(TOOLS), **fields)


async def test_the_nearest_tool_comes_first_and_tools_are_embedded_once() -> None:
    made, tab = Likeness(embedder := Embedder(), Rate(1e6, 0)), Tab()
    for _ in range(2):
        assert await made.rank(asked(), TOOLS, tab) == ["rain", "song", "ring"]
    assert [len(call.texts) for call in embedder.calls] == [4, 1]
    assert tab.cost == 5.0


@pytest.mark.parametrize(
    ("made", "request_"),
    [
        (Likeness(Embedder(fails=True), Rate(1, 1)), asked()),
        (Likeness(Embedder(), Rate(1, 1), outside=True), asked(inside_only=True)),
        (Likeness(Embedder(), Rate(1, 1)), asked(" ")),
    ],
    ids=["fails", "residency", "no words"],
)
async def test_where_vectors_cannot_be_had_nothing_is_said(made: Likeness, request_: GenerationRequest) -> None:
    assert await made.rank(request_, TOOLS, Tab()) is None


async def test_what_must_stay_inside_is_never_sent_outside() -> None:
    embedder = Embedder()
    made = Likeness(embedder, Rate(1, 1), outside=True)
    assert await made.rank(replace(asked(), inside_only=True), TOOLS, Tab()) is None
    assert embedder.calls == []


def test_cosines() -> None:
    assert cosine((1.0, 0.0), (2.0, 0.0)) == pytest.approx(1.0)
    assert cosine((1.0, 0.0), (0.0, 3.0)) == 0.0
    assert cosine((0.0, 0.0), (1.0, 1.0)) == 0.0
