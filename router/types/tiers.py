"""The rungs of a route."""

from __future__ import annotations

from typing import Literal

from router.types.metered import Price
from router.types.records import record


@record(frozen=True, slots=True)
class SchemaFirst:
    """How a tier's prompt begins with the form of the answer: with so many examples of the registry, and of answers that were proven."""

    examples: int = 0
    proven: int = 0


@record(frozen=True, slots=True)
class Tier:
    """One rung of a route; rungs are ordered by their place in the route.

    `context` is in tokens; of more than `keep_tools` tools only the likeliest are shown to this tier, unless it is the last. `languages`
    are those that it knows (`None`: all), by their ISO 639-1 codes.
    """

    name: str
    engine: str
    price: Price = Price()
    context: int | None = None
    modalities: frozenset[str] = frozenset({"text"})
    location: Literal["inside", "outside"] = "inside"
    keep_tools: int | None = None
    languages: frozenset[str] | None = None
    schema_first: SchemaFirst | None = None
