"""The operator's own function as judge."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from router.errors import ConfigError
from router.types import Draft, Ruling, Verdict
from tests.router.verifiers.world import World, calls, draft

ASKED = draft(calls(name="Zebulon"), "a table please")


def python(function: Callable[..., Any], **options: Any) -> Any:
    return World(objects={"shop.judges:judge": function}).verifier("python", call="shop.judges:judge", **options)


async def later(asked: Draft) -> bool:
    await asyncio.sleep(0)
    return "Zebulon" in asked.choice.text


async def broken(asked: Draft) -> bool:
    raise LookupError(asked.choice.text)


def exits(_: Draft) -> bool:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("function", "expected", "reason"),
    [
        (lambda asked: True, Ruling.ACCEPT, ""),
        (lambda asked: False, Ruling.DEFER, ""),
        (later, Ruling.ACCEPT, ""),
        (lambda asked: Verdict("contract", Ruling.DEFER, "name Zebulon", confidence=0.2), Ruling.DEFER, "name …"),
        (lambda asked: None, Ruling.UNABLE, "gave NoneType"),
        (lambda asked: 1 / 0, Ruling.UNABLE, "raised ZeroDivisionError"),
        (broken, Ruling.UNABLE, "raised LookupError"),
        (exits, Ruling.UNABLE, "raised SystemExit"),
        (lambda asked: time.sleep(0.2) or True, Ruling.UNABLE, "timeout"),
    ],
)
async def test_the_function_rules_and_its_failures_are_unable(function: Callable[..., Any], expected: Ruling, reason: str) -> None:
    verdict = await python(function, timeout=0.1).judge(ASKED)
    assert (verdict.verifier, verdict.ruling, verdict.reason) == ("python", expected, reason)


def _odd(**fields: Any) -> Verdict:
    return Verdict(**{"verifier": "python", "ruling": Ruling.ACCEPT, **fields})


@pytest.mark.parametrize(
    "given",
    [
        _odd(ruling="denied"),
        _odd(ruling="DEFER"),
        _odd(ruling=None),
        _odd(cost=-1.0),
        _odd(cost=float("nan")),
        _odd(cost="free"),
        _odd(confidence=7.0),
        _odd(confidence=float("nan")),
        _odd(reason=None),
        _odd(violations=("wrong",)),
        _odd(violations=None),
    ],
)
async def test_a_verdict_that_rules_nothing_or_cannot_be_counted_keeps_no_draft(given: Verdict) -> None:
    verdict = await python(lambda asked: given, timeout=10).judge(ASKED)
    assert (verdict.ruling, verdict.reason, verdict.cost) == (Ruling.UNABLE, "gave no sound Verdict", 0.0)


async def test_a_ruling_by_its_word_is_that_ruling() -> None:
    assert (await python(lambda asked: _odd(ruling="defer"), timeout=10).judge(ASKED)).ruling is Ruling.DEFER


async def test_a_cancelled_request_stays_cancelled() -> None:
    async def never(_: Draft) -> bool:
        await asyncio.Event().wait()
        return True

    task = asyncio.create_task(python(never, timeout=10).judge(ASKED))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("path", ["shop.judges:nobody", "shop.judges", "a b:c"])
def test_a_path_that_leads_nowhere_is_named(path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        World().verifier("python", call=path)
    assert caught.value.param == "routes.auto.verifiers.0.call"


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be called"):
        python(5)  # type: ignore[arg-type]
