"""From a slot to its text in the request and the arguments that the text means."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from models import quantities, words
from models.grammar import DEFAULTS, Slot, Split, Template, Value, expand
from models.quantities import CURRENCIES, DAYS, DIMENSIONS, UNITS, WEIGHTS

Style = Literal["lower", "plain", "sentence", "upper"]
USUAL = {
    "duration": "minutes",
    "duration_adj": "minutes",
    "count": "minutes",
    "time": "time",
    "day": "day",
    "on_day": "day",
    "days": "day",
    "title": "title",
    "task": "text",
    "name": "to",
    "message": "text",
    "note": "text",
    "list": "list",
    "items": "items",
    "item": "items",
    "city": "city",
    "room": "room",
    "level": "level",
    "query": "query",
    "place": "place",
    "currency": "to",
    "unit": "to",
    "money": "amount",
    "quantity": "value",
}
TEXTS = frozenset(("title", "task", "name", "message", "note", "list", "items", "item", "city", "room", "query", "place"))
FREE = frozenset(("message", "note", "task"))
LOOSE = FREE | {"title", "items", "item", "query"}
DAY_SLOTS = frozenset(("day", "on_day", "days"))
SMALL = re.compile(r"\b(?:the|an?|my|me|please|just|really|some|will you|can you|could you|i want you to|i'd like you to|for me|now) ")


@dataclass(frozen=True, slots=True)
class Filled:
    """A slot's text, what it means, and whether it wants no "at" before it."""

    text: str
    value: Value
    source: str = ""
    bare: bool = False


@dataclass(slots=True)
class Context:
    """What one example's slots share: the source of chance, the split, the writer's style, values used so far."""

    rng: Random
    split: Split
    style: Style = "plain"
    apostrophes: bool = True
    typo: bool = False
    hasty: bool = False
    used: set[str] = field(default_factory=set)
    pair: tuple[str, str] | None = None
    today: bool = False
    days_on: bool = False

    def say(self, text: str) -> str:
        """Words of a template as this writer writes them."""
        if not self.apostrophes:
            text = re.sub(r"(?<=\w)'(?=\w)", "", text)
        if self.style == "sentence":
            text = re.sub(r"\bi\b(?!')|\bi(?=')", "I", text)
            text = re.sub(r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day", lambda m: m[0].capitalize(), text)
        if self.hasty:
            text = SMALL.sub(lambda m: "" if self.rng.random() < 0.4 else m[0], text)
        if self.typo and (spots := list(re.finditer(r"[a-z]{4,}", text))):
            self.typo = False
            text = misspelt(text, self.rng.choice(spots), self.rng)
        return text


Special = dict[str, Callable[[Context, Slot], Filled]]


@dataclass(slots=True)
class Request:
    """One request: its words, its calls, and what joining or decorating it must know."""

    text: str
    calls: list[tuple[str, dict[str, Value]]]
    kinds: tuple[str, ...]
    starts_plain: bool
    last: str


def misspelt(text: str, spot: re.Match[str], rng: Random) -> str:
    """The text with one letter of a word dropped, doubled or swapped with its neighbour."""
    i = rng.randrange(spot.start() + 1, spot.end() - 1)
    new = rng.choice((text[i + 1] + text[i], text[i + 1], text[i] * 2 + text[i + 1]))
    return text[:i] + new + text[i + 2 :]


def weighted_currency(rng: Random, others: tuple[str, ...] = ()) -> str:
    """A currency, the common ones more often."""
    codes = [c for c in WEIGHTS if c not in others]
    return rng.choices(codes, [WEIGHTS[c] for c in codes])[0]


def unit_pair(rng: Random) -> tuple[str, str]:
    """Two different units of one dimension."""
    first, second = rng.sample(rng.choice(DIMENSIONS), 2)
    return first, second


def day_text(kind: str, day: str, context: Context) -> str:
    """A day as the slot's kind writes it."""
    rng = context.rng
    if day == "tomorrow" and rng.random() < 0.06 and kind != "days":
        return rng.choice(("tmrw", "tmr", "tomorow", "2morrow")) if context.split == "train" else "tmrw"
    name = day.capitalize() if day in DAYS and (context.style == "sentence" or (context.style == "plain" and rng.random() < 0.5)) else day
    if kind == "days":
        return f"{name}'s"
    if kind == "on_day" and day in DAYS:
        return rng.choice(("on ", "on ", "on ", "this ", "", "this coming ")) + name
    return name


def fill_day(context: Context, slot: Slot) -> Filled:
    rng = context.rng
    day = rng.choice((*DAYS, *DAYS, "tomorrow", "tomorrow", "tomorrow", "tomorrow", "tomorrow", "today", "today"))
    return Filled(day_text(slot.kind, day, context), day)


def fill_time(context: Context, slot: Slot) -> Filled:
    minutes = quantities.random_time(context.rng)
    return Filled(quantities.time_text(minutes, context.rng, context.today and slot.argument != "_"), quantities.clock(minutes))


def fill_duration(context: Context, slot: Slot) -> Filled:
    minutes = quantities.random_duration(context.rng, context.days_on)
    write = quantities.duration_adjective if slot.kind == "duration_adj" else quantities.duration_text
    return Filled(write(minutes, context.rng), minutes)


def fill_count(context: Context, _: Slot) -> Filled:
    minutes = context.rng.randint(2, 60)
    return Filled(quantities.spoken(minutes, context.rng), minutes)


def fill_level(context: Context, _: Slot) -> Filled:
    rng = context.rng
    level = rng.choice((rng.randrange(1, 20) * 5, rng.randrange(1, 10) * 10, rng.randrange(1, 100)))
    return Filled(quantities.spoken(level, rng), level)


def fill_money(context: Context, _: Slot) -> Filled:
    source = currencies(context)[0]
    text, amount = quantities.money(source, context.rng)
    return Filled(text, amount, source)


def fill_quantity(context: Context, _: Slot) -> Filled:
    source = units(context)[0]
    text, number = quantities.quantity(source, context.rng)
    return Filled(text, number, source)


def fill_currency(context: Context, slot: Slot) -> Filled:
    code = currencies(context)[slot.argument != "from"]
    if slot.argument == "_":
        code = weighted_currency(context.rng, currencies(context))
    return Filled(context.rng.choice([n for n in CURRENCIES[code] if n not in ("brazilian real", "bucks", "quid")]), code)


def fill_unit(context: Context, slot: Slot) -> Filled:
    code = units(context)[slot.argument != "from"]
    names = [n for n in UNITS[code] if len(n) > 2 or context.rng.random() < 0.5] or [UNITS[code][0]]
    return Filled(context.rng.choice(names), code)


def currencies(context: Context) -> tuple[str, str]:
    """The request's pair of currencies, chosen once."""
    if context.pair is None:
        first = weighted_currency(context.rng)
        context.pair = (first, weighted_currency(context.rng, (first,)))
    return context.pair


def units(context: Context) -> tuple[str, str]:
    """The request's pair of units, chosen once."""
    if context.pair is None:
        context.pair = unit_pair(context.rng)
    return context.pair


def fill_items(context: Context, _: Slot) -> Filled:
    rng = context.rng
    count = rng.choice((1, 1, 1, 2, 2, 3, 3, 4))
    items = list(dict.fromkeys(styled("items", context, False) for n in range(count)))
    if len(items) == 1:
        return Filled(items[0], items)
    if len(items) > 2 and rng.random() < 0.1:
        return Filled(" and ".join(items), items)
    link = rng.choice((" and ", " and ", " and ", ", and " if len(items) > 2 else " and ", ", "))
    return Filled(", ".join(items[:-1]) + link + items[-1], items)


def styled(kind: str, context: Context, tight: bool) -> str:
    """A text value not used before in this request, in the writer's style."""
    for _ in range(20):
        text = words.value(kind, context.split, context.rng, tight)
        if text.lower() not in context.used:
            break
    context.used.add(text.lower())
    if kind in ("message", "note") and context.rng.random() < 0.12:
        text = longer(text, kind, context)
    if context.style == "sentence" and kind in FREE:
        text = re.sub(r"\bi\b", "I", text)
    return text


def longer(text: str, kind: str, context: Context) -> str:
    """A message or note with a time, a day or a second clause of its own."""
    rng, choice = context.rng, context.rng.random()
    if choice < 0.3:
        more = f"at {quantities.time_text(quantities.random_time(rng), rng)}"
    elif choice < 0.55:
        more = day_text("on_day", rng.choice((*DAYS, "tomorrow", "tomorrow", "today")), context)
    elif choice < 0.75:
        more = f"in {quantities.duration_text(rng.choice((5, 10, 15, 20, 30, 60, 120)), rng)}"
    else:
        more = f"{rng.choice(('and', 'and', 'but', 'so'))} {words.value(kind, context.split, rng)}"
    return f"{text} {more}" if len(text) + len(more) < 76 else text


FILLERS: dict[str, Callable[[Context, Slot], Filled]] = {
    "time": fill_time,
    "day": fill_day,
    "on_day": fill_day,
    "days": fill_day,
    "duration": fill_duration,
    "duration_adj": fill_duration,
    "level": fill_level,
    "money": fill_money,
    "quantity": fill_quantity,
    "currency": fill_currency,
    "unit": fill_unit,
    "items": fill_items,
    "count": fill_count,
}


def fill(context: Context, slot: Slot, tight: bool = False) -> Filled:
    """A value for the slot, different from the others of its kind in this request."""
    if slot.kind not in FILLERS:
        text = styled(slot.kind, context, tight)
        return Filled(text, [text] if slot.kind == "item" else text)
    for _ in range(20):
        filled = FILLERS[slot.kind](context, slot)
        mark = f"{'day' if slot.kind in DAY_SLOTS else slot.kind.removesuffix('_adj')}={filled.value}"
        if mark not in context.used:
            break
    context.used.add(mark)
    return filled


def argument(slot: Slot, function: str) -> str:
    """The argument that a slot sets."""
    if slot.argument:
        return slot.argument
    return "name" if slot.kind == "name" and function == "find_contact" else USUAL[slot.kind]


def render(template: Template, context: Context, special: Special | None = None, many: bool = False) -> Request:
    """A request from a template; ``special`` fills the first slot of a kind in its own way, ``many`` makes repeated slots calls."""
    parts = expand(template.parts, context.rng)
    kinds = tuple(p.kind for p in parts if isinstance(p, Slot))
    begin(template, context, kinds)
    found: list[tuple[str, Filled]] = []
    pieces: list[str] = []
    left = dict(special or {}) or parts_of_day(template, context, kinds)
    for i, part in enumerate(parts):
        if isinstance(part, str):
            pieces.append(context.say(part))
            continue
        key = argument(part, template.function)
        way = left.pop(part.kind, None) if key != "_" else None
        again = many and part.kind == "currency" and any(k == "to" for k, _ in found)
        filled = way(context, part) if way else fill(context, Slot(part.kind, "_") if again else part, tight(parts, i))
        found.append((key, filled))
        join(pieces, written(filled, parts[i + 1]) if part.kind == "level" and i + 1 < len(parts) else filled)
    calls = several_calls(template, found) if many else [(template.function, one_call(template, found))]
    last = "" if isinstance(parts[-1], str) else parts[-1].kind
    plain = isinstance(parts[0], str) and parts[0][0].isalpha()
    return Request(tidy("".join(pieces)), calls if template.function else [], kinds, plain, last)


def parts_of_day(template: Template, context: Context, kinds: tuple[str, ...]) -> Special:
    """Now and then, ways to write day and time together: "tomorrow morning" with a bare "7"."""
    days = [kind for kind in kinds if kind in ("day", "on_day")]
    if kinds.count("time") != 1 or len(days) != 1 or ":_" in template.line or context.rng.random() > 0.2:
        return {}
    rng = context.rng
    minutes = 60 * rng.choice((5, 6, 6, 7, 7, 8, 9, 10, 13, 14, 15, 16, 17, 18, 18, 19, 19, 20, 20, 21, 22))
    minutes += rng.choice((0, 0, 0, 30, 30, 15, 45, rng.randrange(12) * 5))
    part = quantities.part_of_day(minutes // 60, rng).split()[-1]
    time = quantities.time_text(minutes, rng) if rng.random() < 0.15 else quantities.bare_time(minutes, rng)
    day = rng.choice((*DAYS, *["tomorrow"] * 6, "today"))
    said = (f"this {part}" if part != "night" else "tonight") if day == "today" else f"{day_text(days[0], day, context)} {part}"
    return {"time": lambda c, s: Filled(time, quantities.clock(minutes)), days[0]: lambda c, s: Filled(said, day)}


def written(filled: Filled, following: str | Slot) -> Filled:
    """The level in figures where a percent sign follows."""
    sign = isinstance(following, str) and following.startswith("%")
    return Filled(str(filled.value), filled.value) if sign and filled.text.replace("-", "").isalpha() else filled


def begin(template: Template, context: Context, kinds: tuple[str, ...]) -> None:
    """Readies the context for a template."""
    context.pair = None
    context.days_on = template.function == "create_event"
    fixed = any(key == "day" for key, _ in template.fixed)
    context.today = "day" in DEFAULTS.get(template.function, {}) and not fixed and not DAY_SLOTS & set(kinds)


def one_call(template: Template, found: list[tuple[str, Filled]], index: int = 0) -> dict[str, Value]:
    """A call's arguments: the conventions' defaults, what the words imply, what the slots mean."""
    arguments = dict(DEFAULTS.get(template.function, {}))
    arguments |= {key: options[min(index, len(options) - 1)] for key, options in template.fixed}
    for key, filled in found:
        set_arguments(arguments, key, filled)
    return arguments


def several_calls(template: Template, found: list[tuple[str, Filled]]) -> list[tuple[str, dict[str, Value]]]:
    """One call for each time that a slot stands in the template; what stands once is shared."""
    by_key: dict[str, list[Filled]] = {}
    for key, filled in found:
        by_key.setdefault(key, []).append(filled)
    count = max(len(values) for values in by_key.values())
    shares = [[(key, values[i if len(values) > 1 else 0]) for key, values in by_key.items()] for i in range(count)]
    return [(template.function, one_call(template, share, i)) for i, share in enumerate(shares)]


def tidy(text: str) -> str:
    """The text with single spaces and none before a comma or full stop."""
    return " ".join(text.split()).replace(" ,", ",").replace(" .", ".").replace(" ?", "?")


def join(pieces: list[str], filled: Filled) -> None:
    """Appends a value, with the article and preposition that fit it."""
    before = pieces[-1] if pieces else ""
    if filled.bare and before.endswith((" at ", " for ")):
        before = before[:-3] if before.endswith(" at ") else before
    if re.search(r"(?:^|\s)a $", before) and re.match(r"(?!one\b|eu)(?:[aeio]|8|11\D|18\D|hour)", filled.text, re.IGNORECASE):
        before = before[:-1] + "n "
    if re.search(r"(?:^|\s)an? $", before) and re.match(r"an? ", filled.text):
        before = re.sub(r"an? $", "", before)
    pieces[-1:] = [before] if pieces else []
    pieces.append(filled.text)


def set_arguments(arguments: dict[str, Value], key: str, filled: Filled) -> None:
    """Stores what a slot means."""
    if key == "_":
        return
    if key == "items" and "items" in arguments:
        arguments[key] = [*as_list(arguments[key]), *as_list(filled.value)]
        return
    arguments[key] = filled.value
    if filled.source:
        arguments["from"] = filled.source


def as_list(value: Value) -> list[str]:
    return value if isinstance(value, list) else [str(value)]


def tight(parts: list[str | Slot], i: int) -> bool:
    """Whether another text value stands next to this one with nothing but a space between."""
    before = i >= 2 and parts[i - 1] == " " and isinstance(other := parts[i - 2], Slot) and other.kind in TEXTS
    after = i + 2 < len(parts) and parts[i + 1] == " " and isinstance(other := parts[i + 2], Slot) and other.kind in TEXTS
    return before or after
