"""The demonstration's functions: their schemas, and what no schema can say."""

from typing import Any

import pytest

from router import contract as contracts
from server.assistant import registry

DAY = {"type": "string", "enum": ["today", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]}
TIME = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "description": "24-hour clock"}
CURRENCY = {"type": "string", "enum": ["EUR", "USD", "GBP", "JPY", "CHF", "INR", "CAD", "AUD", "CNY", "BRL"]}
UNIT = {"type": "string", "enum": ["km", "mi", "m", "ft", "kg", "lb", "c", "f", "l", "gal"]}


def text(description: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": 80, "description": description}


def integer(least: int, most: int, **more: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most, **more}


EXPECTED: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "set_timer": ("Start a countdown.", {"minutes": integer(1, 1440)}, set()),
    "set_alarm": ("Ring at a time of day; day is today unless the request says otherwise.", {"time": TIME, "day": DAY}, set()),
    "create_event": (
        "Put an event in the calendar; 60 minutes unless the request says otherwise.",
        {"title": text("what"), "day": DAY, "time": TIME, "minutes": integer(5, 1440)},
        set(),
    ),
    "create_reminder": (
        "Remind of something; time only if the request gives one; day is today unless it says otherwise.",
        {"text": text("what to be reminded of, without 'to'"), "day": DAY, "time": TIME},
        {"time"},
    ),
    "send_message": ("Send a text message.", {"to": text("a name"), "text": text("the message, as said")}, set()),
    "make_call": ("Call somebody.", {"to": text("a name")}, set()),
    "find_contact": ("Look somebody up in the address book.", {"name": text("a name")}, set()),
    "add_to_list": (
        "Add items to a named list.",
        {
            "list": text("the list's name, without the word list"),
            "items": {"type": "array", "items": text("an item"), "minItems": 1, "maxItems": 8},
        },
        set(),
    ),
    "take_note": ("Keep a note.", {"text": text("the note, as said")}, set()),
    "get_weather": (
        "Weather forecast for a city; today unless the request says otherwise.",
        {"city": text("a city"), "day": DAY},
        set(),
    ),
    "convert_currency": ("Convert money.", {"amount": {"type": "number", "exclusiveMinimum": 0}, "from": CURRENCY, "to": CURRENCY}, set()),
    "convert_units": ("Convert lengths, weights, temperatures, volumes.", {"value": {"type": "number"}, "from": UNIT, "to": UNIT}, set()),
    "control_light": (
        "Switch or dim the lights of a room.",
        {
            "room": text("a room"),
            "state": {"type": "string", "enum": ["on", "off", "dim"]},
            "level": integer(0, 100, description="percent, only with dim"),
        },
        {"level"},
    ),
    "play_music": ("Play a song, an artist, a genre or a playlist.", {"query": text("what to play, as said")}, set()),
    "navigate_to": (
        "Start navigation; drive unless the request says otherwise.",
        {"place": text("where to"), "mode": {"type": "string", "enum": ["drive", "walk", "transit", "bike"]}},
        set(),
    ),
}


def test_the_functions_and_their_order_are_the_domains() -> None:
    assert [tool.name for tool in registry.tools()] == list(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_schema_of_a_function_is_the_domains(name: str) -> None:
    description, properties, optional = EXPECTED[name]
    [tool] = registry.tools(name)
    assert (tool.description, tool.strict) == (description, True)
    assert tool.parameters == {
        "type": "object",
        "properties": properties,
        "required": [argument for argument in properties if argument not in optional],
        "additionalProperties": False,
    }
    assert list(tool.parameters["properties"]) == list(properties)  # type: ignore[call-overload]


def test_all_functions_together_make_a_contract() -> None:
    assert contracts.tools(registry.tools()).kind == "tools"


@pytest.mark.parametrize(
    ("name", "arguments", "path"),
    [
        ("set_timer", {"minutes": 5}, None),
        ("set_timer", {"minutes": "5"}, "/arguments/minutes"),
        ("set_timer", {"minutes": 1441}, "/arguments/minutes"),
        ("set_alarm", {"time": "24:00", "day": "today"}, "/arguments/time"),
        ("set_alarm", {"time": "07:05", "day": "someday"}, "/arguments/day"),
        ("set_alarm", {"time": "07:05"}, "/arguments"),
        ("create_event", {"title": "dentist", "day": "friday", "time": "15:00", "minutes": 30}, None),
        ("create_event", {"title": " ", "day": "friday", "time": "15:00", "minutes": 30}, "/arguments/title"),
        ("create_reminder", {"text": "milk", "day": "today"}, None),
        ("create_reminder", {"text": "milk", "day": "today", "time": "08:00"}, None),
        ("create_reminder", {"text": "milk", "day": "today", "time": None}, "/arguments/time"),
        ("send_message", {"to": "Ann", "text": "\t"}, "/arguments/text"),
        ("make_call", {"to": " "}, "/arguments/to"),
        ("make_call", {"to": ""}, "/arguments/to"),
        ("add_to_list", {"list": "shopping", "items": ["milk", "eggs"]}, None),
        ("add_to_list", {"list": "shopping", "items": ["milk", "Milk "]}, "/arguments/items"),
        ("add_to_list", {"list": "shopping", "items": ["milk", " "]}, "/arguments/items"),
        ("add_to_list", {"list": "shopping", "items": []}, "/arguments/items"),
        ("convert_currency", {"amount": 5, "from": "EUR", "to": "USD"}, None),
        ("convert_currency", {"amount": 5, "from": "EUR", "to": "EUR"}, "/arguments/to"),
        ("convert_currency", {"amount": 0, "from": "EUR", "to": "USD"}, "/arguments/amount"),
        ("convert_units", {"value": 5, "from": "km", "to": "mi"}, None),
        ("convert_units", {"value": 5, "from": "km", "to": "kg"}, "/arguments/to"),
        ("convert_units", {"value": 5, "from": "km", "to": "km"}, "/arguments/to"),
        ("convert_units", {"value": -40, "from": "c", "to": "f"}, None),
        ("convert_units", {"value": -273.16, "from": "c", "to": "f"}, "/arguments/value"),
        ("convert_units", {"value": -460, "from": "f", "to": "c"}, "/arguments/value"),
        ("convert_units", {"value": -1, "from": "l", "to": "gal"}, "/arguments/value"),
        ("control_light", {"room": "hall", "state": "dim", "level": 30}, None),
        ("control_light", {"room": "hall", "state": "dim"}, None),
        ("control_light", {"room": "hall", "state": "on", "level": 30}, "/arguments/level"),
        ("navigate_to", {"place": "home", "mode": "fly"}, "/arguments/mode"),
        ("open_door", {}, "/name"),
    ],
)
def test_a_call_is_judged_by_types_and_sense(name: str, arguments: dict[str, Any], path: str | None) -> None:
    assert [violation.path for violation in registry.validate(name, arguments)] == ([] if path is None else [path])
