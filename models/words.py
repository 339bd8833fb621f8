"""Text values: real ones of a split, and in training invented ones, so that copying is learnt and not a vocabulary."""

import re
from functools import cache
from random import Random

from models.grammar import Split, values
from models.lexicon import CODAS, DO_TO, GET, NOTES, ONSETS, STARTERS, STOP, VOWELS, WITH

FILES = {
    "title": "titles",
    "task": "tasks",
    "message": "messages",
    "note": "notes",
    "list": "lists",
    "item": "items",
    "items": "items",
    "city": "cities",
    "room": "rooms",
    "query": "queries",
    "place": "places",
}
RUDE = re.compile("f[ua]ck|shit|cunt|nig|fag|rape|coc?k|dic?k|slut|tit|cum|whor|piss|porn|sex|ass|nazi|fart|hitl|pus|jew|bitch|dyke")
CAPITAL = frozenset(("name", "city", "place"))


def real(kind: str, split: Split, rng: Random) -> str:
    """A real value of the split."""
    return person(split, rng) if kind == "name" else rng.choice(usable(FILES[kind], split))


def person(split: Split, rng: Random) -> str:
    """Somebody's name as people call them."""
    chance, first = rng.random(), rng.choice(usable("first_names", split))
    if chance < 0.45:
        return first
    if chance < 0.78:
        return f"{first} {rng.choice(usable('last_names', split))}"
    if chance < 0.95:
        return rng.choice(usable("relations", split))
    return f"{rng.choice(('Dr.', 'Dr', 'Mr.', 'Mrs.', 'Ms.', 'Professor'))} {rng.choice(usable('last_names', split))}"


@cache
def usable(kind: str, split: Split) -> tuple[str, ...]:
    """The split's values without a final dot or exclamation mark."""
    return tuple(value.rstrip(".!") for value in values(kind, split))


@cache
def vocabulary(kind: str) -> tuple[str, ...]:
    """The content words of the training values of a slot."""
    names = ("first_names", "last_names") if kind == "name" else (FILES[kind],)
    found = {w for name in names for v in usable(name, "train") for w in v.split() if plain(w)}
    return tuple(sorted(found))


def plain(word: str) -> bool:
    """Whether a word may stand anywhere in an invented value."""
    return word.lower() not in STOP and re.fullmatch(r"[^\W\d_]+", word) is not None and len(word) > 2


def pseudo(rng: Random) -> str:
    """An invented word of one to four syllables."""
    count = rng.choice((1, 1, 2, 2, 2, 2, 3, 3, 4))
    text = "".join(rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(count))
    if len(text) < 3 or RUDE.search(text):
        return pseudo(rng)
    return text


def word(kind: str, rng: Random, invented: float = 0.7) -> str:
    """An invented word, sometimes a real one of the same slot."""
    text = pseudo(rng) if rng.random() < invented else rng.choice(vocabulary(kind))
    return text.capitalize() if kind in CAPITAL else text


def swapped(kind: str, rng: Random) -> str:
    """A real training value with some content words replaced."""
    parts = real(kind, "train", rng).split()
    places = [i for i, part in enumerate(parts) if plain(part)]
    for i in rng.sample(places, rng.randint(1, len(places)) if places else 0):
        new = word(kind, rng)
        parts[i] = new.capitalize() if parts[i][0].isupper() else new
    return " ".join(parts)


def invented(kind: str, rng: Random, tight: bool) -> str:
    """A wholly invented value, of the shape that the slot's values have."""
    if kind == "message":
        return f"{rng.choice(STARTERS)} {several(kind, rng, 1, 5)}"
    if kind == "note":
        start = f"{rng.choice(NOTES)} " if tight or rng.random() < 0.7 else ""
        return start + several(kind, rng, 1, 5) + (f" {rng.randrange(10000)}" if rng.random() < 0.3 else "")
    if kind == "task":
        return task(rng)
    if kind == "name":
        title = rng.choice(("Dr. ", "Mr. ", "Mrs. ", "aunt ", "uncle ", "Dr ", "Ms. ")) if rng.random() < 0.08 else ""
        return title + several(kind, rng, 1, 1 if tight and rng.random() < 0.6 else 2)
    if kind == "place":
        return place(rng)
    if kind == "query" and rng.random() < 0.15:
        return f"{several(kind, rng, 1, 3)} by {several('name', rng, 1, 2)}"
    if kind == "query" and rng.random() < 0.5:
        return " ".join(w.capitalize() for w in several(kind, rng, 1, 4).split())
    most = {"title": 4, "query": 4}.get(kind, 2)
    return several(kind, rng, 1, most)


def several(kind: str, rng: Random, least: int, most: int) -> str:
    """Some words."""
    return " ".join(word(kind, rng) for _ in range(rng.randint(least, most)))


def task(rng: Random) -> str:
    """An invented thing to do."""
    first = real("task", "train", rng).split()[0] if rng.random() < 0.75 else pseudo(rng)
    link = rng.choice(("", "the ", "the ", "my ", "a ", "some ", "for ", "with "))
    return f"{first} {link}{several('task', rng, 1, 3)}"


def place(rng: Random) -> str:
    """An invented place or address."""
    if rng.random() < 0.3:
        street = rng.choice(("Street", "Road", "Avenue", "Lane", "Drive", "St", "Ave", "Way", "Court", "Square"))
        return f"{rng.randrange(1, 400)} {several('place', rng, 1, 2)} {street}"
    if rng.random() < 0.4:
        return f"the {several('title', rng, 1, 3)}"
    return several("place", rng, 1, 3)


def with_others(kind: str, split: Split, rng: Random) -> str:
    """An event with somebody, or a thing to do with people or goods, put together."""
    if kind == "title":
        return f"{rng.choice(WITH)} with {value('name', split, rng)}"
    if rng.random() < 0.6:
        return f"{rng.choice(DO_TO)} {value('name', split, rng)}"
    return f"{rng.choice(GET)} {' and '.join(value('item', split, rng) for _ in range(rng.choice((1, 1, 2))))}"


def value(kind: str, split: Split, rng: Random, tight: bool = False) -> str:
    """A text value; in training one of two is invented wholly or in part."""
    if kind in ("title", "task") and rng.random() < 0.14:
        return with_others(kind, split, rng)
    if split != "train" or (chance := rng.random()) < 0.5:
        return real(kind, split, rng)
    text = swapped(kind, rng) if chance < 0.75 else invented(kind, rng, tight)
    return text if len(text) <= 75 else real(kind, split, rng)
