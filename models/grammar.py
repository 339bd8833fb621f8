"""Template lines: what they say, which arguments they set, and which split each belongs to."""

import re
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Literal

Split = Literal["train", "calibration", "test"]
Value = str | int | float | list[str]

HERE = Path(__file__).parent
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "set_timer": ("minutes",),
    "set_alarm": ("time", "day"),
    "create_event": ("title", "day", "time", "minutes"),
    "create_reminder": ("text", "day", "time"),
    "send_message": ("to", "text"),
    "make_call": ("to",),
    "find_contact": ("name",),
    "add_to_list": ("list", "items"),
    "take_note": ("text",),
    "get_weather": ("city", "day"),
    "convert_currency": ("amount", "from", "to"),
    "convert_units": ("value", "from", "to"),
    "control_light": ("room", "state", "level"),
    "play_music": ("query",),
    "navigate_to": ("place", "mode"),
}
DEFAULTS: dict[str, dict[str, Value]] = {
    "set_alarm": {"day": "today"},
    "create_event": {"day": "today", "minutes": 60},
    "create_reminder": {"day": "today"},
    "get_weather": {"day": "today"},
    "navigate_to": {"mode": "drive"},
}
OPTIONAL = {("create_reminder", "time"), ("control_light", "level")}
TOKEN = re.compile(r"\[([^\]]*)\]|\{([a-z_]+)(?::([a-z_]+))?\}")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place to fill: a kind of value and the argument it sets ("" its usual one, "_" none)."""

    kind: str
    argument: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Alternatives of which one is written."""

    arms: tuple[tuple["Part", ...], ...]


Part = str | Slot | Choice


@dataclass(frozen=True, slots=True)
class Template:
    """One phrasing of a request to one function ("" where no function serves it)."""

    line: str
    function: str
    parts: tuple[Part, ...]
    fixed: tuple[tuple[str, tuple[Value, ...]], ...]


def portion(text: str) -> int:
    """A stable number from 0 to 99 for a text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big") % 100


def split_of(text: str, train: int, calibration: int) -> Split:
    """The split a text belongs to, with the given percentages for the first two."""
    place = portion(text)
    if place < train:
        return "train"
    return "calibration" if place < train + calibration else "test"


def parts_of(text: str) -> tuple[Part, ...]:
    """The parts of a template text, in order."""
    parts: list[Part] = []
    end = 0
    for match in TOKEN.finditer(text):
        if match.start() > end:
            parts.append(text[end : match.start()])
        end = match.end()
        arms, kind, argument = match.groups()
        parts.append(Choice(tuple(parts_of(a) for a in arms.split("|"))) if kind is None else Slot(kind, argument or ""))
    return (*parts, text[end:]) if end < len(text) else tuple(parts)


def parse(line: str, function: str = "") -> Template:
    """A template from its line; ``function: text`` names the function where none is given."""
    text, _, fixed = line.partition(" -> ")
    if not function and (match := re.match(r"([a-z_]+): ", text)) and match[1] in ARGUMENTS:
        function, text = match[1], text[match.end() :]
    pairs = [pair.split("=", 1) for pair in fixed.split(";") if pair.strip()]
    values = tuple((key.strip(), tuple(number(v.strip()) for v in value.split("/"))) for key, value in pairs)
    return Template(line, function, parts_of(text.strip()), values)


def number(text: str) -> Value:
    """An integer where the text is one, else the text."""
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def expand(parts: tuple[Part, ...], rng: Random) -> list[str | Slot]:
    """The parts with every choice made and neighbouring texts joined."""
    out: list[str | Slot] = []
    for part in parts:
        for piece in expand(rng.choice(part.arms), rng) if isinstance(part, Choice) else [part]:
            if isinstance(piece, str) and out and isinstance(out[-1], str):
                out[-1] += piece
            else:
                out.append(piece)
    return out


@cache
def lines(folder: str, name: str) -> tuple[str, ...]:
    """The lines of ``models/<folder>/<name>.txt`` without comments, blanks and repetitions."""
    text = (HERE / folder / f"{name}.txt").read_text(encoding="utf-8")
    stripped = (line.strip() for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in stripped if line and not line.startswith("#")))


@cache
def own_lines(name: str, split: Split) -> tuple[str, ...]:
    """The phrase lines of a file that belong to a split: 76 % train, 12 % calibration, 12 % test."""
    return tuple(line for line in lines("phrases", name) if split_of(line, 76, 12) == split)


@cache
def templates(name: str, split: Split) -> tuple[Template, ...]:
    """The templates of a phrase file that belong to a split."""
    function = name if name in ARGUMENTS else ""
    return tuple(parse(line, function) for line in own_lines(name, split))


@cache
def values(kind: str, split: Split) -> tuple[str, ...]:
    """The real values of a slot that belong to a split: 80 % train, 10 % calibration, 10 % test."""
    return tuple(v for v in lines("values", kind) if split_of(v.lower(), 80, 10) == split)
