"""Many tools, few of them likely: a small tier is shown the ones that the request's words point at (TinyAgent's ToolRAG, lexical).

Ranking is Okapi BM25 (Robertson and Zaragoza, 2009) over the words of names, descriptions and parameters; a name counts three times.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from router import contract as contracts
from router.calibration.reading import read
from router.calibration.words import STOP, pieces, words
from router.types import Choice, Contract, GenerationRequest, Schema, Tool, ToolChoice

K1, B = 1.2, 0.75
_NAME_WEIGHT = 3
_LONGEST = 6000


@dataclass(frozen=True, slots=True)
class Index:
    """Word counts of each tool, and how rare each word is among them."""

    names: tuple[str, ...]
    counts: tuple[Mapping[str, int], ...]
    rarity: Mapping[str, float]
    mean: float

    def rank(self, text: str) -> list[str]:
        """The tools' names, the likeliest first; of equals the one that the request lists first."""
        asked = set(_stems(words(text[-_LONGEST:])))
        scores = [self._score(asked, counts) for counts in self.counts]
        return [self.names[place] for place in sorted(range(len(scores)), key=lambda place: (-scores[place], place))]

    def _score(self, asked: set[str], counts: Mapping[str, int]) -> float:
        length = K1 * (1 - B + B * sum(counts.values()) / self.mean)
        return math.fsum(self.rarity[word] * counts[word] * (K1 + 1) / (counts[word] + length) for word in sorted(asked & counts.keys()))


def narrows(contract: Contract, keep: int) -> bool:
    """Whether a tier with this bound is shown fewer tools than the request has."""
    return contract.kind == "tools" and contract.tool_choice.mode != "named" and 1 <= keep < len(contract.tools)


def narrow(contract: Contract, request_text: str, keep: int, ranked: Sequence[str] = ()) -> Contract:
    """The contract with the `keep` likeliest tools in their own order; the same contract where that changes nothing.

    `ranked` are the tools' names by somebody who knows better than words, the likeliest first.
    What had to be a call may be a message under the narrowed contract, so that the tier can say that none of its tools fits.
    """
    if not narrows(contract, keep):
        return contract
    kept = set((ranked or likeliest(contract.tools, request_text))[:keep])
    return contracts.tools(
        [tool for tool in contract.tools if tool.name in kept], ToolChoice("auto"), contract.parallel, form=contract.form
    )


def likeliest(tools: Sequence[Tool], request_text: str) -> list[str]:
    """The tools' names, the likeliest for this text first."""
    return _index(_Tools(tools)).rank(request_text)


def asked_text(request: GenerationRequest) -> str:
    """What the tools are ranked by: the user's words, the latest last."""
    return "\n".join(message.text for message in request.messages if message.role == "user")


def last_words(request: GenerationRequest) -> str:
    """What the user said last."""
    return next((message.text for message in reversed(request.messages) if message.role == "user"), "")


def none_fits(full: Contract, narrowed: Contract, choice: Choice) -> bool:
    """Whether a tier that was shown only some tools called none of them: another tool may be the right one."""
    return full != narrowed and not read(narrowed, choice).calls


def spared(full: Contract, narrowed: Contract) -> int:
    """Characters of tool descriptions and schemas that the narrowed contract leaves out."""
    return len(full.text) - len(narrowed.text)


class _Tools:
    """Tools for the cache, compared by what the index reads of them."""

    __slots__ = ("key", "tools")

    def __init__(self, tools: Sequence[Tool]) -> None:
        self.tools = tools
        self.key = tuple((tool.name, tool.description, repr(tool.parameters)) for tool in tools)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Tools) and self.key == other.key


@lru_cache(maxsize=256)
def _index(tools: _Tools) -> Index:
    counts = tuple(Counter(_described(tool)) for tool in tools.tools)
    holding = Counter(word for found in counts for word in found)
    rarity = {word: math.log(1 + (len(counts) - n + 0.5) / (n + 0.5)) for word, n in holding.items()}
    mean = sum(sum(found.values()) for found in counts) / len(counts)
    return Index(tuple(tool.name for tool in tools.tools), counts, rarity, max(mean, 1.0))


def _described(tool: Tool) -> list[str]:
    return _stems([*(pieces(tool.name) * _NAME_WEIGHT), *words(tool.description), *_parameters(tool.parameters or {})])


def _parameters(schema: Schema) -> list[str]:
    """Words of the parameters' names and descriptions, of one level: deeper ones say little of what the tool is for."""
    properties = schema.get("properties")
    found: list[str] = []
    for name, inner in properties.items() if isinstance(properties, Mapping) else ():
        described = inner.get("description") if isinstance(inner, Mapping) else None
        found += pieces(str(name)) + (words(described) if isinstance(described, str) else [])
    return found


def _stems(found: Sequence[str]) -> list[str]:
    """Words without a plural's s, cut to six characters, so that inflected forms meet; stop words are left out, counts are kept."""
    return [(word[:-1] if len(word) > 3 and word[-1] == "s" else word)[:6] for word in found if word not in STOP]
