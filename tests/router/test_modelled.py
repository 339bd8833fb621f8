"""A pydantic model is a tool: its fields the arguments, its validators the checks, its own dry run the rehearsal."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, model_validator

from router import contract as contracts
from router.functions import CannotJudge, Registry, function, modelled
from router.types import Ruling, Tool
from tests.router.verifiers.world import draft


class Seat(BaseModel):
    row: int
    side: Literal["left", "right"] = "left"


class BookTable(BaseModel):
    """Reserve a table.

    Not told to models.
    """

    guests: int = Field(ge=1, le=12, description="how many")
    seats: list[Seat] = []
    since: str | None = None

    @model_validator(mode="after")
    def _enough(self) -> "BookTable":
        if len(self.seats) > self.guests:
            raise ValueError("more seats than guests")
        return self

    def dry_run(self) -> str | None:
        if self.guests == 7:
            raise RuntimeError("no connection")
        return "full" if self.guests > 10 else None


@function()
def cancel(code: str) -> None:
    """Cancel a reservation."""


REGISTRY = Registry.of(BookTable, cancel)


def test_fields_become_a_closed_schema_and_the_docstring_is_told() -> None:
    tool = REGISTRY.functions["BookTable"].tool
    assert (tool.name, tool.description, tool.strict) == ("BookTable", "Reserve a table.", True)
    assert tool.parameters["required"] == ["guests"]
    assert tool.parameters["properties"]["guests"] == {"type": "integer", "minimum": 1, "maximum": 12, "description": "how many"}  # type: ignore[index]
    assert "title" not in str(tool.parameters)


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({"guests": 2}, None),
        ({"guests": 2, "seats": [{"row": 1}]}, None),
        ({}, "/arguments"),
        ({"guests": "2"}, "/arguments/guests"),
        ({"guests": 13}, "/arguments/guests"),
        ({"guests": 2, "table": 1}, "/arguments"),
        ({"guests": 2, "seats": [{"row": 1, "side": "up"}]}, "/arguments/seats/0/side"),
        ({"guests": 1, "seats": [{"row": 1}, {"row": 2}]}, "/arguments"),
        ({"guests": 11}, "/arguments"),
    ],
)
def test_types_validators_and_the_dry_run_rule_on_a_call(arguments: dict[str, Any], path: str | None) -> None:
    found = REGISTRY.validate("BookTable", arguments)
    assert [violation.path for violation in found[:1]] == ([] if path is None else [path])


def test_a_dry_run_that_breaks_cannot_judge() -> None:
    with pytest.raises(CannotJudge, match="RuntimeError"):
        REGISTRY.validate("BookTable", {"guests": 7})


async def test_the_verifier_holds_calls_to_the_model() -> None:
    from router.verifiers.function import FunctionVerifier

    offered = contracts.tools([Tool("BookTable", REGISTRY.functions["BookTable"].schema)])
    for guests, ruling in ((2, Ruling.ACCEPT), (11, Ruling.DEFER), (7, Ruling.UNABLE)):
        answer = f'{{"tool_calls":[{{"name":"BookTable","arguments":{{"guests":{guests}}}}}]}}'
        assert (await FunctionVerifier(REGISTRY).judge(draft(answer, contract=offered))).ruling is ruling


def test_names_examples_and_checks_may_be_given() -> None:
    made = modelled(BookTable, name="book", examples=(("a table for two", {"guests": 2}),), dry_run=lambda arguments: "closed")
    assert (made.name, made.examples[0][0]) == ("book", "a table for two")
    assert made.rehearse({"guests": 2})[0].message == "closed"
    with pytest.raises(ValueError, match="example"):
        modelled(BookTable, examples=(("nobody", {"guests": 0}),))
    with pytest.raises(ValueError, match="same name"):
        Registry.of(BookTable, BookTable)
