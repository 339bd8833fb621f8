"""The function gate: a call passes if it parses, is known, valid and sensible, and its dry run passes."""

import asyncio
import json
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from router import contract as contracts
from router.errors import ConfigError
from router.functions import Registry, function
from router.registry import verifiers
from router.types import Choice, Contract, Draft, Evidence, GenerationRequest, Ruling, Tool, Verdict, Violation


def _odd(arguments: Mapping[str, Any]) -> Violation | None:
    return Violation("/count", "must be odd") if arguments["count"] % 2 == 0 else None


def _rehearsal(arguments: Mapping[str, Any]) -> str | None:
    if arguments["count"] == 13:
        raise ValueError
    if arguments["count"] == 99:
        time.sleep(0.2)
    return "sold out" if arguments["count"] > 20 else None


@function(checks=(_odd,), dry_run=_rehearsal)
def order(count: int) -> None:
    """Order things."""


REGISTRY = Registry.of(order)
FOREIGN = Tool("foreign", {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False})
CONTRACT = contracts.tools([order.tool, FOREIGN])


def calls(*pairs: tuple[str, Any]) -> str:
    return json.dumps({"tool_calls": [{"name": name, "arguments": arguments} for name, arguments in pairs]})


def judged(text: str, contract: Contract = CONTRACT, registry: Registry | None = REGISTRY, **options: Any) -> Verdict:
    verifier = verifiers.build({"kind": "function", "registry": registry, **options}, "verifiers[1]")
    verdict = asyncio.run(verifier.judge(Draft(GenerationRequest("r", "auto", (), contract), "small", Choice(text, "stop"))))
    assert isinstance(verdict, Verdict)
    return verdict


@pytest.mark.parametrize(
    ("text", "ruling", "reason", "path"),
    [
        (calls(("order", {"count": 3})), Ruling.ACCEPT, "", None),
        (calls(("order", {"count": 3}), ("foreign", {"a": 1})), Ruling.ACCEPT, "", None),
        ('{"message":"no"}', Ruling.NOT_APPLICABLE, "message", None),
        ("I will order 3.", Ruling.DEFER, "not_json", ""),
        ("", Ruling.DEFER, "not_json", ""),
        (calls(("steal", {"count": 3})), Ruling.DEFER, "unknown_function", "/tool_calls/0/name"),
        (calls(("order", {"count": "3"})), Ruling.DEFER, "arguments", "/tool_calls/0/arguments/count"),
        (calls(("order", {})), Ruling.DEFER, "arguments", "/tool_calls/0/arguments"),
        (calls(("foreign", {"b": 1})), Ruling.DEFER, "arguments", "/tool_calls/0/arguments"),
        (calls(("foreign", {}), ("order", {"count": 4})), Ruling.DEFER, "semantic", "/tool_calls/1/arguments/count"),
        (calls(("order", {"count": 21})), Ruling.DEFER, "dry_run", "/tool_calls/0/arguments"),
        (calls(("order", {"count": 13})), Ruling.UNABLE, "the dry run of order broke: ValueError", None),
    ],
)
def test_every_call_is_judged(text: str, ruling: Ruling, reason: str, path: str | None) -> None:
    verdict = judged(text)
    assert (verdict.verifier, verdict.ruling, verdict.reason) == ("function", ruling, reason)
    assert [violation.path for violation in verdict.violations] == ([] if path is None else [path])


def _exits(_arguments: object) -> Any:
    raise SystemExit(3)


class Fussy(BaseModel):
    """Be fussy."""

    count: int

    @field_validator("count")
    @classmethod
    def _known(cls, count: int) -> int:
        return {3: 3}[count]


def _checked(check: Any = None, dry_run: Any = None) -> Registry:
    @function(checks=(check,) if check else (), dry_run=dry_run)
    def order(count: int) -> None:
        """Order things."""

    return Registry.of(order)


@pytest.mark.parametrize(
    ("registry", "reason"),
    [
        (_checked(check=lambda _: "bad"), "a check of order gave str"),
        (_checked(check=lambda _: False), "a check of order gave bool"),
        (_checked(check=_exits), "a check of order broke: SystemExit"),
        (_checked(dry_run=lambda _: {"error": "sold out"}), "the dry run of order gave dict"),
        (_checked(dry_run=_exits), "the dry run of order broke: SystemExit"),
        (Registry.of(Fussy), "a validator of Fussy broke: KeyError"),
    ],
)
def test_a_registry_that_does_not_say_what_it_should_is_unable(registry: Registry, reason: str) -> None:
    (only,) = registry
    verdict = judged(calls((only.name, {"count": 1})), contracts.tools(registry.tools()), registry)
    assert (verdict.ruling, verdict.reason) == (Ruling.UNABLE, reason)


def test_a_dry_run_that_takes_too_long_is_unable() -> None:
    verdict = judged(calls(("order", {"count": 99})), dry_run_seconds=0.02)
    assert (verdict.ruling, verdict.reason) == (Ruling.UNABLE, "dry_run_timeout")


def test_dry_runs_that_never_end_leave_the_threads_of_all_others_alone() -> None:
    """The default executor has as many threads as this, and stores and key files wait in it too."""
    ever = threading.Event()
    verifier = verifiers.build(
        {"kind": "function", "registry": _checked(dry_run=lambda _: ever.wait()), "dry_run_seconds": 0.05}, "verifiers[1]"
    )
    draft = Draft(GenerationRequest("r", "auto", (), CONTRACT), "small", Choice(calls(("order", {"count": 3})), "stop"))

    async def run() -> list[Verdict]:
        try:
            verdicts = await asyncio.gather(*(verifier.judge(draft) for _ in range(40)))
            await asyncio.wait_for(asyncio.to_thread(time.sleep, 0), 10)
        finally:
            ever.set()
        return verdicts

    assert {verdict.reason for verdict in asyncio.run(run())} == {"dry_run_timeout"}


def test_without_a_registry_the_request_alone_rules() -> None:
    assert judged(calls(("order", {"count": 4})), registry=None).ruling is Ruling.ACCEPT
    assert judged(calls(("order", {"count": "4"})), registry=None).ruling is Ruling.DEFER


def test_a_clients_own_function_of_the_same_name_is_held_to_its_own_schema() -> None:
    contract = contracts.tools([Tool("order", {"type": "object", "properties": {"dish": {"type": "string"}}})])
    assert judged(calls(("order", {"dish": "soup"})), contract).ruling is Ruling.ACCEPT


def test_a_function_of_the_registry_that_the_request_does_not_offer_is_unknown() -> None:
    assert judged(calls(("order", {"count": 3})), contracts.tools([FOREIGN])).reason == "unknown_function"


def test_without_tools_there_is_nothing_to_judge() -> None:
    assert judged("hi", Contract()).ruling is Ruling.NOT_APPLICABLE
    assert judged("{}", contracts.json_object()).ruling is Ruling.NOT_APPLICABLE


def test_options_are_checked_at_start_up() -> None:
    with pytest.raises(ConfigError, match=r"verifiers\[1\]\.strictness"):
        verifiers.build({"kind": "function", "strictness": 3}, "verifiers[1]")
    with pytest.raises(ConfigError, match=r"verifiers\[1\]\.threads"):
        verifiers.build({"kind": "function", "threads": 3}, "verifiers[1]")
    for seconds in (0, -1, float("nan"), 3600):
        with pytest.raises(ConfigError, match=r"verifiers\[1\]\.dry_run_seconds"):
            verifiers.build({"kind": "function", "dry_run_seconds": seconds}, "verifiers[1]")
    assert verifiers.build({"kind": "function"}, "verifiers[1]").needs is Evidence.NONE
