"""The hard kinds of requests, about equally often."""

import re
from collections.abc import Callable
from functools import cache
from random import Random

from models import forms
from models.grammar import ARGUMENTS, DEFAULTS, Slot, Split, Template, own_lines, templates
from models.multi import multi
from models.requests import Draft, context, finish, pick, plain_request
from models.slots import DAY_SLOTS, FREE, LOOSE, TEXTS, Context, Filled, Request, Special, argument, fill, render, set_arguments

INSIDE = (
    "time",
    "duration",
    "duration_adj",
    "day",
    "on_day",
    "name",
    "city",
    "room",
    "level",
    "list",
    "place",
    "money",
    "quantity",
    "currency",
    "query",
    "title",
)
AFTER = (
    "time",
    "duration",
    "duration_adj",
    "level",
    "money",
    "quantity",
    "day",
    "on_day",
    "name",
    "city",
    "room",
    "place",
    "query",
    "title",
)
WEEKDAY = re.compile(r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day|today|tomorrow|tonight|morning|evening|weekend", re.IGNORECASE)

NOUNLIKE = re.compile(r"\{time\} (?:alarm|reminder|slot|wake)|(?:\ba|\bmy|\|a|\]|\bthe|\{days\}) \{time\}")


def slots_of(template: Template) -> tuple[str, ...]:
    """The kinds of the slots on a template's line that set an argument."""
    found = re.findall(r"\{([a-z_]+)(?::([a-z_]+))?\}", template.line)
    return tuple(kind for kind, key in found if key != "_")


@cache
def having(kinds: tuple[str, ...], split: Split) -> dict[str, tuple[Template, ...]]:
    """The templates of each function that have exactly one slot of these kinds."""
    found = {}
    for name in ARGUMENTS:
        own = tuple(t for t in templates(name, split) if sum(kind in kinds for kind in slots_of(t)) == 1 and not NOUNLIKE.search(t.line))
        if own:
            found[name] = own
    return found


def pick_having(kinds: tuple[str, ...], split: Split, rng: Random) -> tuple[Template, str]:
    """A template with one slot of these kinds, and which kind it is."""
    choices = having(kinds, split)
    template = rng.choice(choices[rng.choice(list(choices))])
    return template, next(kind for kind in slots_of(template) if kind in kinds)


def correction(split: Split, rng: Random) -> Draft | None:
    """A request in which one value is taken back for another."""
    return inside(split, rng) if rng.random() < 0.6 else after(split, rng)


def inside(split: Split, rng: Random) -> Draft | None:
    """A correction in place of a value."""
    line = rng.choice([x for x in own_lines("corrections", split) if "{old}" in x])
    kind = rng.choice(INSIDE)
    template, kind = pick_having((kind,), split, rng)
    writer = context(split, rng)

    def both(writer: Context, slot: Slot) -> Filled:
        old = fill(writer, Slot(slot.kind, "_"), True)
        bare = slot.kind == "on_day" and rng.random() < 0.6 and not line.startswith("{new}")
        new = fill(writer, Slot("day" if bare else slot.kind, slot.argument), True)
        shown = shortened(old.text, new.text, rng) if line.startswith("{old}") else old.text
        return Filled(writer.say(line).replace("{old}", shown).replace("{new}", new.text), new.value, new.source)

    return finish(render(template, writer, {kind: both}), writer, "correction")


def shortened(old: str, new: str, rng: Random) -> str:
    """The old value, sometimes without the unit that the new one repeats."""
    first, second = old.split(" "), new.split(" ")
    same = len(first) == len(second) == 2 and first[1] == second[1] and first[0][0].isalnum() and not first[1][0].isupper()
    return first[0] if same and first[1] in ("minutes", "mins", "min", "pm", "am", "hours") and rng.random() < 0.4 else old


def after(split: Split, rng: Random) -> Draft | None:
    """A correction behind the whole request."""
    template, kind = pick_having((rng.choice(AFTER),), split, rng)
    others = [k for k in slots_of(template) if k in TEXTS and k != kind]
    if kind in TEXTS and others:
        return None
    writer = context(split, rng)
    request = render(template, writer)
    lines = [x for x in own_lines("corrections", split) if "{request}" in x]
    line = rng.choice([x for x in lines if request.last not in LOOSE or x.startswith(("{request}.", "{request};"))] or lines)
    plain = {"on_day": "day", "duration_adj": "duration"}.get(kind, kind)
    new = fill(writer, Slot(plain, ""), True)
    arguments = request.calls[0][1]
    key = re.search(rf"\{{{kind}:([a-z]+)\}}", template.line)
    target = argument(Slot(kind, key[1] if key else ""), template.function)
    if arguments.get(target) == new.value or not request.text[-1].isalnum():
        return None
    set_arguments(arguments, target, new)
    request.text = writer.say(line).replace("{request}", request.text).replace("{new}", new.text)
    request.last = kind
    return finish(request, writer, "correction", decorate=rng.random() < 0.3)


def arithmetic(split: Split, rng: Random) -> Draft | None:
    """A time or duration that must be worked out."""
    if rng.random() < 0.6:
        template, kind = pick_having(("time",), split, rng)
        special: Special = {kind: forms.worked_time}
    else:
        template, kind = pick_having(("duration",), split, rng)
        special = {kind: forms.worked_duration}
    writer = context(split, rng)
    return finish(render(template, writer, special), writer, "arithmetic")


def quantified(split: Split, rng: Random) -> Draft | None:
    """Amounts in other units than the argument's, or partly in words."""
    template, kind = pick_having((rng.choice(("duration", "duration", "money", "quantity")),), split, rng)
    way = {"duration": forms.united_duration, "money": forms.large_money, "quantity": forms.worded_quantity}[kind]
    writer = context(split, rng)
    return finish(render(template, writer, {kind: way}), writer, "units")


def relative(split: Split, rng: Random) -> Draft | None:
    """A day told from another day, or from a weekday that is said to be today."""
    template, kind = pick_having((rng.choice(("on_day", "on_day", "day")),), split, rng)
    writer = context(split, rng)
    if rng.random() < 0.4:
        return finish(render(template, writer, {kind: forms.near_day}), writer, "relative")
    clause, today = forms.now(writer)
    plain = rng.random() < 0.15
    special: Special = {} if plain else {kind: lambda c, s: forms.ahead(c, s, today)}
    request = render(template, writer, special)
    behind = request.last not in LOOSE and rng.random() < 0.25 and not clause.startswith(CLAUSES)
    joint = rng.choice((", ", ", ", ". ", "; ", " so ")) if not clause.lower().startswith(CLAUSES) else ", "
    if not behind and not request.starts_plain:
        joint = ", "
    request.text = f"{request.text}{rng.choice(('. ', ', ', ' - '))}{clause}" if behind else f"{clause}{joint}{request.text}"
    request.starts_plain, request.last = False, "" if behind else request.last
    return finish(request, writer, "relative")


CLAUSES = ("since", "as ", "given", "seeing", "if ", "because", "so ", "ok ", "now ", "remember")


def negation(split: Split, rng: Random) -> Draft | None:
    """A request that names what is not wanted."""
    groups = by_function(split)
    writer = context(split, rng)
    return finish(render(rng.choice(groups[rng.choice(list(groups))]), writer), writer, "negation")


@cache
def by_function(split: Split) -> dict[str, tuple[Template, ...]]:
    """The negated templates of a split by function."""
    own = templates("negations", split)
    return {name: tuple(t for t in own if t.function == name) for name in dict.fromkeys(t.function for t in own)}


def unoffered(split: Split, rng: Random) -> Draft | None:
    """A request whose function is not offered."""
    draft = plain_request(split, rng)
    if draft is None:
        return None
    return Draft(draft.text, [], "unoffered", {name for name, _ in draft.calls})


def distractor(split: Split, rng: Random) -> Draft | None:
    """A request beside a sentence that does not matter."""
    writer = context(split, rng)
    request = render(pick(split, rng), writer)
    aside = render(rng.choice(templates("distractors", split)), writer)
    if not request.starts_plain or clashes(request, aside):
        return None
    says = aside.text if aside.text[-1] in ".!?" else f"{aside.text}."
    if writer.style == "sentence":
        request.text = request.text[0].upper() + request.text[1:]
    if request.last not in FREE and rng.random() < 0.3:
        stop = "" if request.text[-1] in ".!?" else "."
        request.text, request.last = f"{request.text}{stop} {capitalised(says, writer)}", ""
    else:
        request.text = f"{says} {request.text}" if rng.random() < 0.85 else f"{says[:-1]}, {request.text}"
    request.starts_plain = False
    return finish(request, writer, "distractor", decorate=rng.random() < 0.3)


def capitalised(text: str, writer: Context) -> str:
    """The sentence as its writer begins it."""
    return text[0].upper() + text[1:] if writer.style == "sentence" else text


def clashes(request: Request, aside: Request) -> bool:
    """Whether the aside names a day, time or duration that the request could take for its own."""
    name, arguments = request.calls[0]
    if "day" in DEFAULTS.get(name, {}) and not DAY_SLOTS & set(request.kinds) and WEEKDAY.search(aside.text):
        return arguments["day"] == "today"
    if name == "create_reminder" and "time" not in arguments and "time" in aside.kinds:
        return True
    return name == "create_event" and "duration" in aside.kinds and not {"duration", "duration_adj"} & set(request.kinds)


Kinds = tuple[Callable[[Split, Random], Draft | None], ...]
KINDS: Kinds = (
    multi,
    multi,
    correction,
    arithmetic,
    relative,
    negation,
    quantified,
    unoffered,
    distractor,
)
# In training, what takes longest to learn comes more often.
PRACTISED: Kinds = (*KINDS, multi, correction, arithmetic, arithmetic, relative, relative, unoffered)
