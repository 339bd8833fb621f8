"""Many tools ranked by the likeness of meaning, where an engine makes vectors; the retriever's own words serve where none does."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from router.asking import Rate
from router.errors import EngineFailure
from router.ports import Embedder
from router.retrieval import asked_text
from router.types import EmbeddingCall, GenerationRequest, Tab, Tool

_LONGEST, _KNOWN = 2000, 4096
Vector = tuple[float, ...]


class Ranker(Protocol):
    """Orders tools for a request, the likeliest first; `None` where it cannot say. What that takes is put on the tab."""

    async def rank(self, request: GenerationRequest, tools: Sequence[Tool], tab: Tab) -> list[str] | None: ...


@dataclass(slots=True)
class Likeness:
    """By the cosine between the vectors of the user's words and of each tool's name and description (TinyAgent's ToolRAG).

    `price` is what the engine's tokens cost, `seconds` the most that asking may take; an engine `outside` never sees a request that must
    stay inside. Vectors of tools are remembered, for the same ones come with every request.
    """

    embedder: Embedder
    price: Rate
    seconds: float = 2.0
    outside: bool = False
    _known: dict[str, Vector] = field(default_factory=dict)

    async def rank(self, request: GenerationRequest, tools: Sequence[Tool], tab: Tab) -> list[str] | None:
        """`None` where the engine fails or may not be asked."""
        if request.inside_only and self.outside:
            return None
        described = {tool.name: f"{tool.name}: {tool.description}"[:_LONGEST] for tool in tools}
        asked = asked_text(request)[-_LONGEST:]
        vectors = await self._vectors(request, asked, list(described.values()), tab) if asked.strip() else None
        if vectors is None:
            return None
        near = {name: cosine(vectors[asked], vectors[text]) for name, text in described.items()}
        return sorted(near, key=lambda name: -near[name])

    async def _vectors(self, request: GenerationRequest, asked: str, texts: Sequence[str], tab: Tab) -> dict[str, Vector] | None:
        """Of the request's words and of the tools; only what is new is asked for."""
        found = {text: self._known[text] for text in texts if text in self._known}
        missing = tuple(dict.fromkeys((asked, *(text for text in texts if text not in found))))
        try:
            made = await self.embedder.embed(EmbeddingCall(f"{request.id}-tools", missing, seconds=self.seconds))
        except EngineFailure:
            return None
        tab.add(self.price.of(made.usage), made.usage)
        found |= dict(zip(missing, made.vectors, strict=True))
        self._remember({text: found[text] for text in missing if text != asked})
        return found if len(set(map(len, found.values()))) == 1 else None

    def _remember(self, vectors: dict[str, Vector]) -> None:
        self._known |= vectors
        while len(self._known) > _KNOWN:
            del self._known[next(iter(self._known))]


def cosine(one: Vector, other: Vector) -> float:
    """-1 to 1; 0 beside a vector of zeros."""
    size = math.sqrt(math.fsum(x * x for x in one) * math.fsum(x * x for x in other))
    return math.fsum(x * y for x, y in zip(one, other, strict=True)) / size if size else 0.0
