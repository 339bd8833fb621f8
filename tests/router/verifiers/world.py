"""A draft in one line, and services that remember what they were asked."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from router import contract as contracts
from router.errors import ConfigError
from router.ports import CannotPost, Engine
from router.registry import verifiers
from router.types import Choice, Contract, Draft, FinishReason, GenerationRequest, Message, Part, Role, Tool
from server.engines.scripted import Script, ScriptedEngine

PRICE = {"prompt": 1, "completion": 10}
BOOK = Tool(
    "book_table",
    {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "guests": {"type": "integer"},
            "day": {"type": "string"},
            "area": {"enum": ["terrace", "hall"]},
            "note": {"type": "string", "default": "none"},
        },
    },
    "Reserve a table.",
)
TOOLS = contracts.tools([BOOK])


def say(text: str, role: Role = "user") -> Message:
    return Message(role, (Part("text", text),))


def calls(**arguments: Any) -> str:
    return json.dumps({"tool_calls": [{"name": "book_table", "arguments": arguments}]})


def draft(
    answer: str,
    *messages: Message | str,
    contract: Contract = TOOLS,
    inside_only: bool = False,
    finish_reason: FinishReason = "stop",
    **fields: Any,
) -> Draft:
    said = tuple(say(message) if isinstance(message, str) else message for message in messages or ("hi",))
    request = GenerationRequest("r1", "auto", said, contract, inside_only=inside_only, **fields)
    return Draft(request, "small", Choice(answer, finish_reason))


@dataclass
class Posts:
    """Answers posts in turn, the last one for ever; `None` is no answer."""

    answers: list[tuple[int, bytes] | None] = field(default_factory=list)
    seen: list[tuple[str, bytes, Mapping[str, str], float]] = field(default_factory=list)

    async def __call__(self, url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> tuple[int, bytes]:  # noqa: ASYNC109
        answer = self.answers[min(len(self.seen), len(self.answers) - 1)]
        self.seen.append((url, body, headers, timeout))
        if answer is None:
            raise CannotPost("nothing came back")
        return answer


@dataclass
class World:
    """The port `Services` over scripted engines, canned posts, and objects by name."""

    engines: dict[str, ScriptedEngine] = field(default_factory=dict)
    post: Posts = field(default_factory=Posts)
    secrets: dict[str, str] = field(default_factory=dict)
    objects: dict[str, Callable[..., Any]] = field(default_factory=dict)
    away: frozenset[str] = frozenset()

    def engine(self, name: str) -> Engine:
        return _known(self.engines, name)

    def outside(self, engine: str) -> bool:
        return engine in self.away

    def secret(self, env_name: str) -> str:
        return _known(self.secrets, env_name)

    def load(self, dotted: str) -> object:
        return _known(self.objects, dotted)

    def verifier(self, kind: str, **options: Any) -> Any:
        return verifiers.build({"kind": kind, **options}, "routes.auto.verifiers.0", services=self)


def _known(found: Mapping[str, Any], name: str) -> Any:
    if name not in found:
        raise ConfigError(f"there is no {name!r}")
    return found[name]


def world(script: Script = (), *, away: bool = False) -> World:
    return World({"judge": ScriptedEngine("judge", script)}, away=frozenset({"judge"} if away else ()))


def posting(*answers: tuple[int, Any] | None) -> World:
    told = [answer and (answer[0], answer[1] if isinstance(answer[1], bytes) else json.dumps(answer[1]).encode()) for answer in answers]
    return World(post=Posts(told), secrets={"HOOK_KEY": "key"})
