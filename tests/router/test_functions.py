"""Typed functions become tools, and calls to them are held to the types."""

from collections.abc import Mapping
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from router import contract as contracts
from router.errors import ConfigError
from router.functions import CannotJudge, Function, Registry, function, load
from router.types import Tool, Violation


class Address(BaseModel):
    """Where."""

    street: str
    number: int = 1


class Colour(Enum):
    """Which."""

    RED = "red"
    BLUE = "blue"


def _reachable(arguments: Mapping[str, Any]) -> Violation | None:
    return Violation("/where", "nobody lives there") if arguments["where"]["street"] == "nowhere" else None


def _rehearsal(arguments: Mapping[str, Any]) -> str | None:
    if arguments["count"] == 13:
        raise ValueError("unlucky")
    return "sold out" if arguments["count"] > 5 else None


@function(checks=(_reachable,), dry_run=_rehearsal)
def deliver(
    where: Address,
    colour: Colour,
    count: Annotated[int, Field(ge=1, le=20, description="how many")],
    from_: Literal["shop", "store"] = "shop",
    day: date | None = None,
    note: Annotated[str, Field(max_length=5)] | None = None,
) -> str:
    """Bring
    things.

    Not for models.
    """
    return f"{count} {colour.value} from {from_} to {where.street} {day} {note}"


REGISTRY = Registry.of(deliver)
GOOD: dict[str, Any] = {"where": {"street": "Elm"}, "colour": "red", "count": 2}


def test_the_schema_is_made_from_the_types() -> None:
    assert deliver.tool == Tool(
        "deliver",
        {
            "type": "object",
            "properties": {
                "where": {"$ref": "#/$defs/Address"},
                "colour": {"$ref": "#/$defs/Colour"},
                "count": {"type": "integer", "minimum": 1, "maximum": 20, "description": "how many"},
                "from": {"type": "string", "enum": ["shop", "store"], "default": "shop"},
                "day": {"type": "string", "format": "date"},
                "note": {"type": "string", "maxLength": 5},
            },
            "required": ["where", "colour", "count"],
            "additionalProperties": False,
            "$defs": {
                "Address": {
                    "type": "object",
                    "properties": {"street": {"type": "string"}, "number": {"type": "integer", "default": 1}},
                    "required": ["street"],
                    "additionalProperties": False,
                    "description": "Where.",
                },
                "Colour": {"type": "string", "enum": ["red", "blue"], "description": "Which."},
            },
        },
        "Bring things.",
        strict=True,
    )


def test_the_tools_of_a_registry_make_a_contract() -> None:
    assert contracts.tools(REGISTRY.tools()).kind == "tools"
    assert [tool.name for tool in REGISTRY.tools("deliver")] == ["deliver"]
    assert REGISTRY.tools("other") == ()


def test_a_right_call_passes() -> None:
    assert REGISTRY.validate("deliver", GOOD) == ()
    assert REGISTRY.validate("deliver", {**GOOD, "from": "store", "day": "2024-02-29", "note": "x"}) == ()


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"count": "2"}, "/arguments/count"),
        ({"count": 2.0}, "/arguments/count"),
        ({"count": True}, "/arguments/count"),
        ({"count": 0}, "/arguments/count"),
        ({"colour": "green"}, "/arguments/colour"),
        ({"from": "moon"}, "/arguments/from"),
        ({"day": "2023-02-29"}, "/arguments/day"),
        ({"day": None}, "/arguments/day"),
        ({"note": None}, "/arguments/note"),
        ({"where": {"street": "Elm", "number": "3"}}, "/arguments/where/number"),
        ({"where": {"street": "Elm", "town": "x"}}, "/arguments/where"),
        ({"extra": 1}, "/arguments"),
        ({"from_": "shop"}, "/arguments"),
        ({"where": {"street": "nowhere"}}, "/arguments/where"),
        ({"count": 6}, "/arguments"),
    ],
)
def test_a_wrong_call_is_found_without_coercion(change: dict[str, Any], path: str) -> None:
    assert [violation.path for violation in REGISTRY.validate("deliver", {**GOOD, **change})] == [path]


def test_what_is_missing_or_unknown_is_named() -> None:
    assert REGISTRY.validate("deliver", {}) != ()
    assert REGISTRY.validate("deliver", [1])[0].path == "/arguments"
    assert REGISTRY.validate("fly", {}) == (Violation("/name", 'no such function: "fly"'),)


def test_a_dry_run_that_breaks_says_nothing() -> None:
    with pytest.raises(CannotJudge, match="dry run of deliver broke: ValueError"):
        REGISTRY.validate("deliver", {**GOOD, "count": 13})


def test_a_check_that_breaks_says_nothing() -> None:
    @function(checks=(lambda arguments: arguments["missing"],))
    def broken(a: int) -> None:
        """Break."""

    with pytest.raises(CannotJudge, match="check of broken broke: KeyError"):
        broken.validate({"a": 1})


def test_a_function_stays_callable() -> None:
    assert deliver(Address(street="Elm"), Colour.RED, 2) == "2 red from shop to Elm None None"


def test_a_registry_never_changes() -> None:
    with pytest.raises(TypeError):
        REGISTRY.functions["x"] = deliver  # type: ignore[index]
    with pytest.raises(ValueError, match="same name"):
        Registry.of(deliver, deliver)
    assert len(REGISTRY) == 1
    assert "deliver" in REGISTRY
    assert list(REGISTRY) == [deliver]


def test_arguments_need_names_and_types() -> None:
    with pytest.raises(TypeError, match="needs a name and an annotation"):

        @function()
        def untyped(a) -> None:  # type: ignore[no-untyped-def]
            """Break."""

    with pytest.raises(TypeError, match="needs a name and an annotation"):

        @function()
        def many(*a: int) -> None:
            """Break."""


def test_open_objects_are_not_called_strict() -> None:
    @function(name="other")
    def open_ended(a: dict[str, int]) -> None:
        """Take anything."""

    assert (open_ended.name, open_ended.tool.strict) == ("other", False)
    assert open_ended.validate({"a": {"x": 1}}) == ()


def test_a_namesake_with_other_arguments_is_another_function() -> None:
    assert deliver.serves(deliver.tool)
    assert not deliver.serves(Tool("deliver", {"type": "object", "properties": {"to": {"type": "string"}}}))
    assert not deliver.serves(Tool("deliver", {}))


def made() -> Registry:
    return REGISTRY


def test_a_registry_is_loaded_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    module = types.ModuleType("operators_own")
    module.__dict__.update(registry=REGISTRY, make=made, wrong=lambda: 3, function=deliver)
    monkeypatch.setitem(sys.modules, "operators_own", module)
    assert load("operators_own:registry") is REGISTRY
    assert load("operators_own:make") is REGISTRY
    for path in ("operators_own:wrong", "operators_own:nothing", "no.such.module:x", "operators_own", ""):
        with pytest.raises(ConfigError, match="functions: "):
            load(path)


def test_a_described_function_cannot_be_called() -> None:
    described = Function("f", "", deliver.schema, deliver.text, deliver.arguments)
    with pytest.raises(TypeError):
        described()


def test_an_annotated_optional_argument_may_be_left_out_but_not_null() -> None:
    @function()
    def play(volume: Annotated[int | None, Field(ge=0)] = None) -> None:
        """Play."""

    assert play.validate({}) == ()
    assert play.validate({"volume": None}) != ()
    assert play.schema["properties"] == {"volume": {"type": "integer", "minimum": 0}}
