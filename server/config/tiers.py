"""The rungs of a route and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from server.config.plain import Dollars, Name, Strict


class TokenPrice(Strict):
    """Dollars per million tokens; `cached` is for those of the prompt that the engine had in its cache, where they cost less."""

    prompt: Dollars
    completion: Dollars
    cached: Dollars | None = None


class HourPrice(Strict):
    """Dollars per hour of a machine, which the calls that run share by their tokens; `machine` names one that several engines share."""

    hour: Dollars
    machine: Name | None = None


def _paid_by(price: object) -> str:
    return "by_hour" if isinstance(price, HourPrice) or (isinstance(price, Mapping) and "hour" in price) else "by_token"


PriceSettings = Annotated[Annotated[TokenPrice, Tag("by_token")] | Annotated[HourPrice, Tag("by_hour")], Discriminator(_paid_by)]


class SchemaFirstSettings(Strict):
    """`examples` of the functions in the registry, `proven` ones out of earlier answers of the same caller that were vouched for."""

    examples: int = Field(default=2, ge=0, le=16)
    proven: int = Field(default=0, ge=0, le=16)


class TierSettings(Strict):
    """One rung; its name is its engine's unless given. `context` is in tokens, `keep_tools` the most tools that it is shown.

    `schema_first` begins its prompt with a sketch of the form and some examples. With `languages` it is passed over for requests that are
    certainly in another one, unless it is the last; needs the extra `language`.
    """

    engine: str
    price: PriceSettings
    name: Name | None = None
    context: int | None = Field(default=None, ge=1)
    modalities: frozenset[Literal["text", "image", "audio", "file"]] = frozenset({"text"})
    location: Literal["inside", "outside"] = "inside"
    keep_tools: int | None = Field(default=None, ge=1)
    languages: frozenset[Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]] | None = Field(default=None, min_length=1)
    schema_first: bool | SchemaFirstSettings = False

    @property
    def first(self) -> SchemaFirstSettings | None:
        """How its prompt begins, `None` as the engine has it."""
        if isinstance(self.schema_first, SchemaFirstSettings):
            return self.schema_first
        return SchemaFirstSettings() if self.schema_first else None

    @property
    def label(self) -> str:
        """The tier's name."""
        return self.name or self.engine
