"""Kinds of examples for training only: copying, results of calls, plain talk, bare arguments, earlier turns."""

from random import Random
from typing import Any

from models import forms, words
from models.examples import Example, Message, answer, dumps, offered, system
from models.grammar import ARGUMENTS, Slot, Value
from models.requests import REFUSAL, Draft, capitals, context, plain_request, refusal_request
from models.slots import fill
from models.systems import SYSTEMS

GREETINGS = """hi|hello|hey|good morning|good evening|hi there|hello there|hey there|yo|good afternoon|hiya|morning|hey you|hello!|hi!
how are you|how's it going|what's up|hello assistant|greetings|good day|howdy|sup|are you there|you there?|hi, how are you
hello, anyone there|hey, what's up|wake up|nice to meet you|good to see you|what can you do|help|who are you"""
THANKS = """thanks|thank you|thanks a lot|thank you very much|cheers|thx|ty|great, thanks|perfect, thank you|thanks so much
nice, thanks|ok thanks|many thanks|that's great, thanks|awesome, thank you|thanks mate|much appreciated|brilliant, cheers
cool thanks|ta|thank you!|thanks!|you're the best, thanks|good job, thank you|lovely, thanks|thanks, that's all"""
HELLO = "Hello! What can I do for you?"
WELCOME = "You're welcome."
OTHER = "I can only call the functions that I am offered."
SYNONYMS = {
    "minutes": ("duration", "length", "duration_minutes", "min"),
    "time": ("at", "clock", "hour", "start", "start_time"),
    "day": ("date", "when", "weekday", "on"),
    "title": ("name", "event", "subject", "what"),
    "text": ("message", "content", "body", "note", "task"),
    "to": ("person", "recipient", "contact", "name", "who"),
    "name": ("person", "contact", "who", "full_name"),
    "list": ("list_name", "target", "which_list"),
    "items": ("things", "entries", "products", "elements"),
    "city": ("town", "location", "place", "where"),
    "amount": ("sum", "money", "value", "quantity"),
    "value": ("number", "amount", "quantity", "measure"),
    "room": ("location", "where", "place"),
    "state": ("action", "mode", "status"),
    "level": ("brightness", "percent"),
    "query": ("song", "music", "search", "what"),
    "place": ("destination", "address", "location", "where"),
    "mode": ("transport", "means", "how"),
    "from": ("source", "from_unit", "source_unit"),
}


def echo(rng: Random) -> Example:
    """A text to be copied into JSON: whole, as a list, or from behind some other words."""
    kind = rng.choice(("name", "title", "task", "message", "note", "item", "city", "query", "place", "room", "list"))
    if rng.random() < 0.3:
        items = [words.value("item", "train", rng) for _ in range(rng.randint(2, 4))]
        return Example((Message("user", ", ".join(items)),), (), dumps(items), "echo", False)
    text = capitals(words.value(kind, "train", rng), rng)
    before = "say" if rng.random() < 0.5 else " ".join(words.pseudo(rng) for _ in range(rng.randint(1, 4))) + ":"
    return Example((Message("user", f"{before} {text}"),), (), dumps(text), "echo", False)


def request(rng: Random) -> Draft:
    """A plain request that has a call."""
    while (draft := plain_request("train", rng)) is None:
        pass
    return draft


def result(rng: Random) -> Example:
    """The calls' results stand in the prompt; the assistant closes the turn."""
    draft = request(rng)
    functions = offered(draft, rng)
    payload, said = returned(rng)
    names = [name for name, _ in draft.calls]
    results = tuple(Message("user", f"Result of {name}: {payload}") for name in names)
    prompt = (system(functions, rng), Message("user", draft.text), Message("assistant", answer(draft.calls)), *results)
    return Example(prompt, functions, dumps({"message": said}), "result", False)


def returned(rng: Random) -> tuple[str, str]:
    """What a function gave back, and what the assistant says of it."""
    key = rng.choice(("ok", "done", "success", "id", "status", "text", "text", "message", "message", "summary", "error"))
    if key in ("text", "message", "summary", "error"):
        said = words.value(rng.choice(("message", "note", "title")), "train", rng)
        said = said[0].upper() + said[1:] + rng.choice((".", "", "."))
        more = {} if rng.random() < 0.6 else {"ok": key != "error"}
        return dumps(more | {key: said} if rng.random() < 0.7 else {key: said} | more), said
    plain: dict[str, Any] = {"id": rng.randrange(10000), "status": rng.choice(("ok", "done", "created", "sent"))}
    return rng.choice((dumps({key: plain.get(key, True)}), "ok", "true", "null", dumps({"ok": True, "id": rng.randrange(1000)}))), "Done."


def chat(rng: Random) -> Example:
    """Talk without functions, answered in prose."""
    kind = rng.random()
    if kind < 0.25:
        said, reply = rng.choice(GREETINGS.replace("\n", "|").split("|")), HELLO
    elif kind < 0.45:
        said, reply = rng.choice(THANKS.replace("\n", "|").split("|")), WELCOME
    else:
        said, reply = asked(rng), OTHER
    said = said if rng.random() < 0.5 else said[0].upper() + said[1:]
    before = (Message("system", rng.choice(SYSTEMS)),) if rng.random() < 0.4 else ()
    return Example((*before, Message("user", said)), (), reply, "chat", False)


def asked(rng: Random) -> str:
    """A request of any kind."""
    draft = refusal_request("train", rng) if rng.random() < 0.5 else None
    return (draft or request(rng)).text


def extract(rng: Random) -> Example:
    """Bare arguments for the property names that the system message gives."""
    draft = request(rng)
    arguments = draft.calls[0][1]
    keys = [key for key in ARGUMENTS[draft.calls[0][0]] if key in arguments]
    keys = keys if rng.random() < 0.7 else rng.sample(keys, rng.randint(1, len(keys)))
    named: dict[str, Value] = {}
    for key in keys:
        other = rng.choice(SYNONYMS.get(key, (key,))) if rng.random() < 0.35 else key
        named[key if other in named or other in arguments else other] = arguments[key]
    prompt = (Message("system", "JSON " + " ".join(named)), Message("user", draft.text))
    return Example(prompt, (), dumps(named), "extract", False)


def history(rng: Random) -> Example:
    """An earlier request and its answer stand before the last one, which alone is answered."""
    draft = request(rng) if rng.random() < 0.9 else None
    last = draft or refusal_request("train", rng) or request(rng)
    functions = offered(last, rng)
    served = [d for d in (request(rng) for _ in range(6)) if {n for n, _ in d.calls} <= set(functions)]
    first = served[0] if served else None
    before = first.text if first else asked_without(functions, rng)
    replied = answer(first.calls) if first else dumps({"message": REFUSAL})
    payload, said = returned(rng)
    done = (Message("user", f"Result of {first.calls[0][0]}: {payload}"),) if first and rng.random() < 0.3 else ()
    closed = (Message("assistant", dumps({"message": said})),) if done else ()
    turns = (Message("user", before), Message("assistant", replied), *done, *closed, Message("user", last.text))
    return Example((system(functions, rng), *turns), functions, answer(last.calls), "history", False)


def asked_without(functions: tuple[str, ...], rng: Random) -> str:
    """A request that none of the functions offered serves."""
    while True:
        draft = request(rng) if rng.random() < 0.5 else refusal_request("train", rng)
        if draft and not {name for name, _ in draft.calls} & set(functions):
            return draft.text


WORKED = {
    "time": (("time", None), ("time", forms.worked_time), ("time", forms.worked_time)),
    "day": (("on_day", None), ("on_day", forms.near_day), ("on_day", forms.near_day)),
    "minutes": (("duration", None), ("duration", forms.worked_duration), ("duration", forms.united_duration)),
    "amount": (("money", None), ("money", forms.large_money)),
    "value": (("quantity", None), ("quantity", forms.worded_quantity)),
    "level": (("level", None),),
}


def worked(rng: Random) -> Example:
    """One value alone, as words that must be worked out: the drill behind times, days, durations and amounts."""
    key = rng.choices(tuple(WORKED), (4, 4, 3, 1, 1, 1))[0]
    writer = context("train", rng)
    kind, way = rng.choice(WORKED[key])
    slot = Slot(kind, "")
    if key == "day" and way is not None and rng.random() < 0.6:
        clause, today = forms.now(writer)
        filled = forms.ahead(writer, slot, today)
        text = f"{clause}, {filled.text}"
    else:
        filled = way(writer, slot) if way else fill(writer, slot)
        text = filled.text
    named: dict[str, Value] = {key: filled.value} | ({"from": filled.source} if filled.source else {})
    text = text.lower() if writer.style == "lower" else text.upper() if writer.style == "upper" else text
    return Example((Message("system", "JSON " + " ".join(named)), Message("user", text)), (), dumps(named), "worked", False)


def offer(rng: Random) -> Example:
    """A plain request with few functions, its own among them every second time: the drill behind what is not offered."""
    draft = request(rng)
    needed = {name for name, _ in draft.calls}
    served = rng.random() < 0.5
    others = rng.sample([name for name in ARGUMENTS if name not in needed], rng.randint(0 if served else 1, 5))
    functions = [*others, *sorted(needed)] if served else others
    rng.shuffle(functions)
    calls = draft.calls if served else []
    return Example((system(tuple(functions), rng), Message("user", draft.text)), tuple(functions), answer(calls), "offer", False)


MAKERS = (echo, result, chat, extract, history, worked, offer)
WEIGHTS = (1, 1, 1, 1, 1.5, 4, 6)
