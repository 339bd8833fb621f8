"""Plain requests: one template filled, written as people type."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from random import Random

from models.grammar import ARGUMENTS, Split, Template, Value, own_lines, templates
from models.lexicon import NOUN_SIGNS, POLITE, QUESTIONS, VERBS
from models.slots import FREE, LOOSE, Context, Request, Special, Style, render

REFUSAL = "Sorry, I can't do that."
Calls = list[tuple[str, dict[str, Value]]]
COPIED = {
    "create_event": ("title",),
    "create_reminder": ("text",),
    "send_message": ("to", "text"),
    "make_call": ("to",),
    "find_contact": ("name",),
    "add_to_list": ("list", "items"),
    "take_note": ("text",),
    "get_weather": ("city",),
    "control_light": ("room",),
    "play_music": ("query",),
    "navigate_to": ("place",),
}


@dataclass(slots=True)
class Draft:
    """A request before its functions are offered: words, calls, kind, functions that must not be offered."""

    text: str
    calls: Calls
    kind: str
    missing: set[str] = field(default_factory=set)


def context(split: Split, rng: Random) -> Context:
    """A writer: casing and habits for one request; in training now and then one who misspells or leaves small words out."""
    style: Style = rng.choices(("lower", "plain", "sentence", "upper"), (40, 20, 39, 1))[0]
    apostrophes, training = rng.random() > 0.12, split == "train"
    return Context(rng, split, style, apostrophes, training and rng.random() < 0.07, training and rng.random() < 0.15)


def pick(split: Split, rng: Random, function: str = "") -> Template:
    """A template of the split, every function equally likely."""
    return rng.choice(templates(function or rng.choice(list(ARGUMENTS)), split))


def plain_request(split: Split, rng: Random, special: Special | None = None) -> Draft | None:
    """One request with plain values."""
    writer = context(split, rng)
    request = render(pick(split, rng), writer, special)
    return finish(request, writer, "single")


def refusal_request(split: Split, rng: Random) -> Draft | None:
    """A request that no function serves."""
    writer = context(split, rng)
    return finish(render(rng.choice(templates("unserved", split)), writer), writer, "refusal")


def finish(request: Request, writer: Context, kind: str, decorate: bool = True) -> Draft | None:
    """The draft of a request, decorated and cased; none where a copied value would not stand in the text."""
    text = polite(request, writer.rng) if decorate else request.text
    text = decorated(text, request, writer) if decorate else text
    text, calls = cased(text, request.calls, writer, request.last in LOOSE)
    if not all(value in text for value in copied(calls)):
        return None
    return Draft(text, calls, kind)


def polite(request: Request, rng: Random) -> str:
    """The request's words, sometimes behind a polite beginning."""
    first, second, *_ = [*request.text.lower().split(" ", 2), ""]
    if request.starts_plain and first in VERBS and second not in NOUN_SIGNS and rng.random() < 0.2:
        return f"{rng.choice(POLITE)} {request.text}"
    return request.text


@cache
def edges(name: str, split: Split) -> tuple[str, ...]:
    return own_lines(name, split)


def decorated(text: str, request: Request, writer: Context) -> str:
    """The text with an opener or closer now and then; nothing is put behind words that run to the end."""
    rng = writer.rng
    if request.starts_plain and rng.random() < 0.09:
        opener = writer.say(rng.choice(edges("openers", writer.split)))
        text = f"{opener} {text}" if not opener[-1].isalnum() or rng.random() < 0.5 else f"{opener}, {text}"
    if rng.random() < 0.07 and request.last not in FREE:
        closer = writer.say(rng.choice(edges("closers", writer.split)))
        link = rng.choice((". ", ", ")) if request.last in LOOSE or rng.random() < 0.4 else rng.choice((" ", ", "))
        text = f"{text}{link}{closer}" if text[-1].isalnum() else f"{text} {closer}"
    return text


def cased(text: str, calls: Calls, writer: Context, loose: bool) -> tuple[str, Calls]:
    """The text in the writer's casing with its end mark, and the calls whose copied values follow it."""
    rng = writer.rng
    if writer.style in ("lower", "upper"):
        change: Callable[[str], str] = str.lower if writer.style == "lower" else str.upper
        text, calls = change(text), [(name, recased(name, arguments, change)) for name, arguments in calls]
    elif writer.style == "sentence" or rng.random() < 0.3:
        raised = text[:1].upper() + text[1:]
        text = raised if all(value in raised for value in copied(calls)) else text
    return ended(text, writer, loose), calls


def ended(text: str, writer: Context, loose: bool) -> str:
    """The text with the final mark that its writer would give it."""
    if not text[-1].isalnum() or writer.rng.random() > {"sentence": 0.6, "plain": 0.3}.get(writer.style, 0.12):
        return text
    if text.lower().split(" ", 1)[0].strip(",") in QUESTIONS and not loose:
        return text + "?"
    return text + ("!" if writer.rng.random() < 0.05 and not loose else ".")


def recased(name: str, arguments: dict[str, Value], change: Callable[[str], str]) -> dict[str, Value]:
    """The arguments with the copied ones changed."""
    keys = COPIED.get(name, ())
    return {key: changed(value, change) if key in keys else value for key, value in arguments.items()}


def changed(value: Value, change: Callable[[str], str]) -> Value:
    """A text, or each of several, changed."""
    return [change(item) for item in value] if isinstance(value, list) else change(str(value))


def copied(calls: Calls) -> list[str]:
    """The values that must stand in the text letter by letter."""
    found: list[str] = []
    for name, arguments in calls:
        for key in COPIED.get(name, ()):
            value = arguments.get(key, [])
            found.extend(value if isinstance(value, list) else [str(value)])
    return found


def capitals(text: str, rng: Random) -> str:
    """The text in some casing."""
    return rng.choice((text, text, text.lower(), text.title(), text.upper() if rng.random() < 0.2 else text))
