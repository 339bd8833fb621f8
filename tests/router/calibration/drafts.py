"""Drafts as they come: requests with right and wrong answers, log-probabilities, second answers and longer conversations."""

import json
import math
import re
from collections.abc import Iterator

from router.contract import choice as choice_contract
from router.contract import json_schema
from router.contract import tools as tools_contract
from router.types import Alternative, Choice, Contract, Draft, GenerationRequest, Message, Part, Token, Tool


def _tool(name: str, description: str, required: list[str], **properties: dict[str, object]) -> Tool:
    return Tool(name, {"type": "object", "properties": properties, "required": required}, description)


TEXT: dict[str, object] = {"type": "string"}
TOOLS = (
    _tool(
        *("set_alarm", "Ring at a time of day.", ["time"]),
        time={"type": "string", "description": "The time, e.g. '07:30'."},
        label={"type": "string", "description": "What it is for. Default is 'alarm'."},
        days={"type": "array", "items": {"type": "string", "enum": ["Mon", "Tue", "Sat"]}},
    ),
    _tool(
        *("get_weather", "The weather of a city now or on a later day.", ["city"]),
        city={"type": "string", "description": "City and state (like 'San Francisco, CA')."},
        unit={"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
        days={"type": "integer", "description": "Days ahead, defaults to 1."},
    ),
    _tool("sendMessage", "Send a text message to a contact.", ["to", "body"], to=TEXT, body=TEXT, urgent={"type": "boolean"}),
    _tool("bank.transfer", "Move money between two accounts.", ["amount"], amount={"type": "number"}, account=TEXT),
)
ASKED = (
    ("wake me at 07:30 on Mon and Tue", "set_alarm", {"time": "07:30", "days": ["Mon", "Tue"]}),
    ("What's the weather like in San Francisco tomorrow?", "get_weather", {"city": "San Francisco, CA", "days": 1}),
    ('Tell Ann "I\'m late, sorry" right now!', "sendMessage", {"to": "Ann", "body": "I'm late, sorry", "urgent": True}),
    ("transfer 1,250.50 to savings; then send Bob Miller a note", "bank.transfer", {"amount": 1250.5, "account": "savings"}),
    ("no wait, make it half past nine instead", "set_alarm", {"time": "09:30"}),
    ("How warm is it in M\u00fcnchen and in New York, in fahrenheit", "get_weather", {"city": "M\u00fcnchen", "unit": "fahrenheit"}),
    ("Ping Zo\u00eb that the meeting isn't at 3 but at 4.\n\nThanks.", "sendMessage", {"to": "Zo\u00eb", "body": "The meeting is at 4"}),
    ("send twenty dollars to account 4711-22", "bank.transfer", {"amount": 20, "account": "4711-22"}),
    ("never mind the weather", "get_weather", {"city": "weather"}),
    ("alarm \u201cgym\u201d 6.15", "set_alarm", {"time": "06:15", "label": "gym"}),
    ("msg mum: don\u2019t forget 2 eggs, 3,5 kg flour & a_b c;d", "sendMessage", {"to": "mum", "body": "don\u2019t forget 2 eggs"}),
    ("Move $15,000 from Checking to Dr. Jo Smith's account as well", "bank.transfer", {"amount": 15000, "account": "Jo Smith"}),
)
_SYSTEM = Message(
    "system", (Part("text", "You're a helpful assistant. Today isn't 2026-11-26; it's a Sunday, after all. Use \u2018metric\u2019 units."),)
)
_EARLIER = Message("user", (Part("text", "Don't ring before 7:15, and no music; then wait - actually, make it 1,200.50 dollars, please!"),))
_PERSON = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name"]}


def drafts() -> Iterator[Draft]:
    """Each right answer, and one that is wrong in one of several ways."""
    contract = tools_contract([tool for tool in TOOLS if "." not in tool.name])
    recorded = Contract("tools", "recorded", tools=TOOLS)
    for place, (text, name, arguments) in enumerate(ASKED):
        said = _calls(name, arguments)
        turns = (_SYSTEM, _EARLIER) if place % 4 == 1 else ()
        request = _request(recorded if "." in name or place % 3 == 2 else contract, *turns, Message("user", (Part("text", text),)))
        good = Choice(said, "stop", tokens(said, known=place % 3 > 0))
        other = Choice(_calls(*ASKED[(place + 4) % len(ASKED)][1:]), "stop")
        yield Draft(request, "small", good, (other,) if place % 2 else (), repairs=place % 2)
        yield Draft(request, "small", Choice(_broken(name, arguments, place), "length" if place % 5 == 0 else "stop"), (good,))
    user = Message("user", (Part("text", "Is \u2018Ann\u2019 7 years old?"),))
    top = (Alternative("no", math.log(0.7)), Alternative("yes", math.log(0.2)), Alternative("x", -9.0))
    yield Draft(
        _request(choice_contract(("yes", "no", "maybe")), user),
        "small",
        Choice("no", "stop", (Token("no", math.log(0.75), math.log(0.7), True, top, top[:2]),)),
    )
    yield Draft(_request(json_schema(_PERSON), user), "small", Choice('{"name": "Ann", "age": 7, "x": [1, {"y": null}]}', "stop"))


def tokens(text: str, *, known: bool) -> tuple[Token, ...]:
    """Words and marks with made-up doubts; `known` says of each whether it was free."""
    found = []
    for place, piece in enumerate(re.findall(r"\w+|\W", text)):
        doubt = -0.01 - 0.4 * (place % 3 == 0) - 0.9 * (place % 7 == 0)
        top = (Alternative(piece, doubt), Alternative("x", -2.0 - place % 5), Alternative("y", -math.inf))
        admitted = top[: 3 - place % 2]
        found.append(Token(piece, doubt, doubt - 0.1 * (place % 4), piece.isalnum() if known else None, top, admitted))
    return tuple(found)


def _request(contract: Contract, *messages: Message) -> GenerationRequest:
    return GenerationRequest("r", "auto", messages, contract)


def _calls(name: str, arguments: dict[str, object]) -> str:
    return json.dumps({"tool_calls": [{"name": name, "arguments": arguments}]})


def _broken(name: str, arguments: dict[str, object], place: int) -> str:
    match place % 6:
        case 0:
            return json.dumps({"message": "Sorry, I can't do that. Did you mean set_alarm(time)?"})
        case 1:
            return "<tool_call>" + repr({"name": name, "arguments": arguments}) + "</tool_call>"
        case 2:
            return _calls(name, arguments | {"tone": "Rome", "n": [1, "two"]})
        case 3:
            return json.dumps({"tool_calls": [{"name": name.replace("_", "."), "arguments": {}}] * 2})
        case 4:
            return _calls(name, arguments).replace("1", "9").replace("o", "0")
        case _:
            return _calls(name, arguments)[:40]
