"""Two or three requests in one."""

import re
from functools import cache
from random import Random

from models.grammar import ARGUMENTS, DEFAULTS, Split, Template, own_lines, templates
from models.requests import Draft, context, finish, pick, polite
from models.slots import DAY_SLOTS, FREE, Context, Request, render

STRONG = re.compile(r"\s*(?:[.;!?/+]|\.\.\.| -|,? *2|,? *b\)|,? *3|,? *c\))")


@cache
def joins(split: Split, count: int) -> tuple[str, ...]:
    """The ways of a split to join so many requests."""
    return tuple(line for line in own_lines("joins", split) if ("{c}" in line) == (count == 3))


def multi(split: Split, rng: Random) -> Draft | None:
    """Two requests (70 %) or three, mostly to different functions."""
    if rng.random() < 0.25:
        return repeated(split, rng)
    count = 2 if rng.random() < 0.7 else 3
    writer = context(split, rng)
    line = rng.choice(joins(split, count))
    functions = rng.sample(list(ARGUMENTS), count)
    pieces = [joinable(split, rng, name, writer) for name in functions]
    seams = list(re.split(r"\{[abc]\}", line))[1:-1]
    if not fits(pieces, seams) or not days_agree(pieces):
        return None
    text = line
    for mark, piece in zip("abc", pieces, strict=False):
        text = text.replace(f"{{{mark}}}", polite(piece, rng) if rng.random() < 0.5 else piece.text, 1)
    calls = [call for piece in pieces for call in piece.calls]
    whole = Request(
        writer.say(line.split("{a}")[0]) + text[len(line.split("{a}")[0]) :], calls, (), line[0].isalpha() or True, pieces[-1].last
    )
    return finish(whole, writer, "multi", decorate=rng.random() < 0.5)


def joinable(split: Split, rng: Random, function: str, writer: Context) -> Request:
    """A request that reads well beside another: it starts with words of its own."""
    while True:
        request = render(pick(split, rng, function), writer)
        if request.starts_plain and not re.search(r"[.:;?!] ", request.text.replace("Dr.", "").replace("Mr.", "")):
            request.text = request.text.rstrip("?.!")
            return request


def fits(pieces: list[Request], seams: list[str]) -> bool:
    """Whether no words that run on stand before a weak seam."""
    for piece, seam in zip(pieces, seams, strict=False):
        if piece.last in FREE | {"items", "item", "title", "query"} and not STRONG.match(seam):
            return False
    return True


def days_agree(pieces: list[Request]) -> bool:
    """Whether all requests that know days name theirs, or none does: else one day might be meant for both."""
    dated = [p for p in pieces if "day" in DEFAULTS.get(p.calls[0][0], {})]
    named = [bool(DAY_SLOTS & set(p.kinds)) or p.calls[0][1]["day"] != "today" for p in dated]
    return all(named) or not any(named)


@cache
def repeats(split: Split) -> dict[str, tuple[Template, ...]]:
    """The templates of a split that want one function several times, by function."""
    own = templates("repeats", split)
    return {name: tuple(t for t in own if t.function == name) for name in dict.fromkeys(t.function for t in own)}


def repeated(split: Split, rng: Random) -> Draft | None:
    """One function several times, with other values."""
    groups, writer = repeats(split), context(split, rng)
    template = rng.choice(groups[rng.choice(list(groups))])
    request = render(template, writer, many=True)
    return finish(request, writer, "multi")
