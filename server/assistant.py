"""The demonstration's functions: what a voice assistant on a device can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from router.functions import Check, Registry, function
from router.types import Violation

Day = Literal["today", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Time = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="24-hour clock")]
Currency = Literal["EUR", "USD", "GBP", "JPY", "CHF", "INR", "CAD", "AUD", "CNY", "BRL"]
Unit = Literal["km", "mi", "m", "ft", "kg", "lb", "c", "f", "l", "gal"]
Text = Annotated[str, Field(min_length=1, max_length=80)]
Name = Annotated[Text, Field(description="a name")]
Item = Annotated[Text, Field(description="an item")]

_KINDS = {
    **dict.fromkeys(("km", "mi", "m", "ft"), "length"),
    **dict.fromkeys(("kg", "lb"), "weight"),
    **dict.fromkeys(("c", "f"), "temperature"),
    **dict.fromkeys(("l", "gal"), "volume"),
}
_ABSOLUTE_ZERO = {"c": -273.15, "f": -459.67}


def _changes(arguments: Mapping[str, Any]) -> Violation | None:
    return Violation("/to", "must differ from 'from'") if arguments["from"] == arguments["to"] else None


def _same_kind(arguments: Mapping[str, Any]) -> Violation | None:
    kinds = _KINDS[arguments["from"]], _KINDS[arguments["to"]]
    return None if kinds[0] == kinds[1] else Violation("/to", f"a {kinds[0]} cannot be converted to a {kinds[1]}")


def _possible(arguments: Mapping[str, Any]) -> Violation | None:
    unit, value = arguments["from"], arguments["value"]
    if unit in _ABSOLUTE_ZERO:
        return Violation("/value", "below absolute zero") if value < _ABSOLUTE_ZERO[unit] else None
    return Violation("/value", "must not be negative") if value < 0 else None


def _dims(arguments: Mapping[str, Any]) -> Violation | None:
    if "level" in arguments and arguments["state"] != "dim":
        return Violation("/level", "goes only with the state 'dim'")
    return None


def _said(*names: str) -> Check:
    def check(arguments: Mapping[str, Any]) -> Violation | None:
        blank = next((name for name in names if not str(arguments[name]).strip()), None)
        return Violation(f"/{blank}", "must not be blank") if blank else None

    return check


def _distinct(arguments: Mapping[str, Any]) -> Violation | None:
    items = [item.strip().casefold() for item in arguments["items"]]
    if not all(items):
        return Violation("/items", "an item must not be blank")
    return None if len(set(items)) == len(items) else Violation("/items", "an item is named twice")


@function(examples=(("count down ten minutes", {"minutes": 10}),))
def set_timer(minutes: Annotated[int, Field(ge=1, le=1440)]) -> None:
    """Start a countdown."""


@function(examples=(("wake me at 6:45 tomorrow", {"time": "06:45", "day": "tomorrow"}),))
def set_alarm(time: Time, day: Day) -> None:
    """Ring at a time of day; day is today unless the request says otherwise."""


@function(
    checks=(_said("title"),),
    examples=(("put standup on friday at 9 for 15 minutes", {"title": "standup", "day": "friday", "time": "09:00", "minutes": 15}),),
)
def create_event(
    title: Annotated[Text, Field(description="what")], day: Day, time: Time, minutes: Annotated[int, Field(ge=5, le=1440)]
) -> None:
    """Put an event in the calendar; 60 minutes unless the request says otherwise."""


@function(checks=(_said("text"),), examples=(("remind me to water the plants", {"text": "water the plants", "day": "today"}),))
def create_reminder(
    text: Annotated[Text, Field(description="what to be reminded of, without 'to'")], day: Day, time: Time | None = None
) -> None:
    """Remind of something; time only if the request gives one; day is today unless it says otherwise."""


@function(checks=(_said("to", "text"),), examples=(("tell Ines I am late", {"to": "Ines", "text": "I am late"}),))
def send_message(to: Name, text: Annotated[Text, Field(description="the message, as said")]) -> None:
    """Send a text message."""


@function(checks=(_said("to"),), examples=(("ring Ravi", {"to": "Ravi"}),))
def make_call(to: Name) -> None:
    """Call somebody."""


@function(checks=(_said("name"),))
def find_contact(name: Name) -> None:
    """Look somebody up in the address book."""


@function(
    checks=(_said("list"), _distinct),
    examples=(("put oats and figs on the shopping list", {"list": "shopping", "items": ["oats", "figs"]}),),
)
def add_to_list(
    list_: Annotated[Text, Field(description="the list's name, without the word list")],
    items: Annotated[list[Item], Field(min_length=1, max_length=8)],
) -> None:
    """Add items to a named list."""


@function(checks=(_said("text"),))
def take_note(text: Annotated[Text, Field(description="the note, as said")]) -> None:
    """Keep a note."""


@function(checks=(_said("city"),), examples=(("will it rain in Porto on sunday", {"city": "Porto", "day": "sunday"}),))
def get_weather(city: Annotated[Text, Field(description="a city")], day: Day) -> None:
    """Weather forecast for a city; today unless the request says otherwise."""


@function(checks=(_changes,))
def convert_currency(amount: Annotated[float, Field(gt=0)], from_: Currency, to: Currency) -> None:
    """Convert money."""


@function(checks=(_changes, _same_kind, _possible), examples=(("how many miles are 12 km", {"value": 12, "from": "km", "to": "mi"}),))
def convert_units(value: float, from_: Unit, to: Unit) -> None:
    """Convert lengths, weights, temperatures, volumes."""


@function(checks=(_said("room"), _dims), examples=(("dim the kitchen to 30 percent", {"room": "kitchen", "state": "dim", "level": 30}),))
def control_light(
    room: Annotated[Text, Field(description="a room")],
    state: Literal["on", "off", "dim"],
    level: Annotated[int, Field(ge=0, le=100, description="percent, only with dim")] | None = None,
) -> None:
    """Switch or dim the lights of a room."""


@function(checks=(_said("query"),), examples=(("put on some Nina Simone", {"query": "Nina Simone"}),))
def play_music(query: Annotated[Text, Field(description="what to play, as said")]) -> None:
    """Play a song, an artist, a genre or a playlist."""


@function(checks=(_said("place"),), examples=(("walk me to the station", {"place": "the station", "mode": "walk"}),))
def navigate_to(place: Annotated[Text, Field(description="where to")], mode: Literal["drive", "walk", "transit", "bike"]) -> None:
    """Start navigation; drive unless the request says otherwise."""


registry = Registry.of(
    set_timer,
    set_alarm,
    create_event,
    create_reminder,
    send_message,
    make_call,
    find_contact,
    add_to_list,
    take_note,
    get_weather,
    convert_currency,
    convert_units,
    control_light,
    play_music,
    navigate_to,
)
