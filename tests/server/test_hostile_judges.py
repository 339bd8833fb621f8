"""Judges that lie, babble, hang, lead elsewhere or drown the gateway: the draft defers as configured, and no hard gate is overruled."""

import asyncio
import hashlib
import hmac
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiohttp import web

from router.errors import EngineFailure
from router.types import EngineCall
from tests.server.harness import CALL, TOOLS, WRONG, Reply, World, alive, chunks, content, error, running

MODES = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
PRICE = {"prompt": 1, "completion": 1}
JUDGE = {"kind": "judge", "engine": "llm", "rubric": "It is right.", "price": PRICE, "timeout": 0.5}
SAYS_YES = '{"reason":"splendid","ruling":"accept"}'
ACCEPTED = '{"ruling":"accept"}'
SAID: dict[str, Reply] = {
    "prose": Reply("I think that this is fine, accept it."),
    "another schema": Reply('{"verdict":"accept","score":1}'),
    "a ruling of its own": Reply('{"reason":"fine","ruling":"ACCEPT"}'),
    "more than asked": Reply('{"reason":"fine","ruling":"accept","ruling2":"accept"}'),
    "two rulings": Reply('{"reason":"","ruling":"defer","ruling":"accept"}'),
    "cut off": Reply(SAYS_YES, finish_reason="length"),
    "nothing": Reply(""),
    "silence": Reply(hang=True),
    "a failure": Reply(failure=EngineFailure("down")),
    "half a ruling and silence": Reply(chunks=('{"reason":"fine",', '"ruling":"accept"}'), hang=True),
    "it cannot tell": Reply('{"reason":"who knows","ruling":"abstain"}'),
}


def judging(said: Reply | str, answer: str = "the large one") -> Callable[[EngineCall], Reply | str]:
    """The large engine judges the small one's drafts, and answers what comes to it."""
    return lambda call: said if call.request_id.endswith("-judge") else answer


def shown(response: httpx.Response, *, stream: bool) -> str:
    return content(chunks(response)) if stream else response.json()["choices"][0]["message"]["content"] or ""


@MODES
@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
async def test_a_judge_that_does_not_rule_defers_though_the_others_accept(said: Reply, stream: bool) -> None:
    route = {"verifiers": [{"kind": "rule", "expression": "true"}, JUDGE], "when_all_abstain": "accept"}
    async with running(["the draft"], judging(said), route=route) as world:
        response = await world.ask(stream=stream)
        assert await world.metric("verdicts_total", route="auto", tier="small", verifier="judge", ruling="unable") == 1
    assert (shown(response, stream=stream), response.headers["x-smallfirst-deferrals"]) == ("the large one", "abstain")
    assert len([call for call in world.large.calls if call.request_id.endswith("-judge")]) == 1


@pytest.mark.parametrize(("rule", "tier"), [("defer", "large"), ("accept", "small")])
async def test_a_judge_that_may_be_missing_leaves_it_to_the_route(rule: str, tier: str) -> None:
    route = {"verifiers": [{**JUDGE, "when_unable": "not_applicable"}], "when_all_abstain": rule}
    async with running(["the draft"], judging("babble"), route=route) as world:
        assert (await world.ask()).headers["x-smallfirst-tier"] == tier


@MODES
@pytest.mark.parametrize("order", [[JUDGE, {"kind": "contract"}, {"kind": "function"}], [{"kind": "contract"}, JUDGE], [JUDGE]], ids=len)
async def test_no_praise_of_a_judge_saves_a_draft_that_breaks_its_contract(order: list[dict[str, Any]], stream: bool) -> None:
    async with running([WRONG], judging(SAYS_YES, CALL), route={"verifiers": order}) as world:
        response = await world.ask(tools=TOOLS, stream=stream)
        assert (response.headers["x-smallfirst-tier"], response.headers["x-smallfirst-deferrals"]) == ("large", "contract")
        assert "launch_rocket" not in response.text
    async with running([WRONG], judging(SAYS_YES, WRONG), route={"verifiers": order}) as world:
        assert error(await world.ask(tools=TOOLS, stream=stream))[2] == "cascade_exhausted"


async def signed(request: web.Request) -> bool:
    expected = "sha256=" + hmac.new(b"hook-secret", await request.read(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(request.headers.get("x-smallfirst-signature", ""), expected)


async def redirect(_: web.Request) -> web.Response:
    raise web.HTTPTemporaryRedirect("/metadata")


async def moved(_: web.Request) -> web.Response:
    raise web.HTTPFound("http://169.254.169.254/latest/meta-data")


async def hang(_: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


async def drip(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    for letter in ACCEPTED:
        await answer.write(letter.encode())
        await asyncio.sleep(0.05)
    return answer


async def drown(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    for _ in range(64):
        await answer.write(b" " * 65_536)
    return answer


def says(text: str | bytes, status: int = 200, **headers: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=text.encode() if isinstance(text, str) else text, status=status, headers=headers)

    return answer


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SERVED: dict[str, tuple[Handler, int]] = {
    "a redirect to another path": (redirect, 1),
    "a redirect to a metadata address": (moved, 1),
    "silence": (hang, 3),
    "a letter at a time": (drip, 3),
    "HTTP 500 with a ruling": (says(ACCEPTED, 500), 3),
    "HTTP 403 with a ruling": (says(ACCEPTED, 403), 1),
    "nothing": (says(""), 1),
    "a page": (says("<html>accept</html>"), 1),
    "another ruling": (says('{"ruling":"ACCEPT"}'), 1),
    "no object": (says('["accept"]'), 1),
    "a confidence of its own": (says('{"ruling":"accept","confidence":"high"}'), 1),
    "no number": (says('{"ruling":"accept","confidence":NaN}'), 1),
    "deep nesting": (says('{"ruling":' + "[" * 30_000 + "]" * 30_000 + "}"), 1),
    "bytes that are no text": (says(b'{"ruling":"accept","reason":"\xff"}'), 1),
    "a body without end": (drown, 3),
    "a body that grows when it is unpacked": (says(zlib.compress(b" " * 30_000_000), **{"content-encoding": "deflate"}), 3),
    "it cannot tell": (says('{"ruling":"abstain"}'), 1),
}


@asynccontextmanager
async def service(handler: Handler) -> AsyncIterator[tuple[str, list[bool], list[str]]]:
    """A judge on a socket, whether each question to it was signed, and who was led elsewhere."""
    asked: list[bool] = []
    led: list[str] = []

    async def take(request: web.Request) -> web.StreamResponse:
        asked.append(await signed(request))
        return await handler(request)

    async def elsewhere(request: web.Request) -> web.Response:
        led.append(request.path)
        return web.Response(text=ACCEPTED)

    app = web.Application()
    app.router.add_post("/rule", take)
    app.router.add_route("*", "/metadata", elsewhere)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/rule", asked, led
    finally:
        await runner.cleanup()


def hook(url: str, **more: Any) -> dict[str, Any]:
    return {"kind": "webhook", "url": url, "secret_env": "HOOK_KEY", "timeout": 5, "retries": 2, "cost": 0.01, **more}


@pytest.mark.parametrize(("handler", "tries"), SERVED.values(), ids=SERVED)
async def test_a_service_that_does_not_rule_defers_after_a_bounded_number_of_signed_tries(
    handler: Handler, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_KEY", "hook-secret")
    async with service(handler) as (url, asked, led):
        slow = handler in (hang, drip)
        judge = hook(url, timeout=0.4) if slow else hook(url)
        route = {"verifiers": [{"kind": "rule", "expression": "true"}, judge], "when_all_abstain": "accept"}
        async with running(["the draft"], ["the large one"], route=route) as world, alive(world):
            async with asyncio.timeout(60):
                response = await world.ask()
            paid = await world.metric("cost_usd_total", route="auto", tier="small", kind="verifier")
    assert (shown(response, stream=False), response.headers["x-smallfirst-deferrals"]) == ("the large one", "abstain")
    assert (all(asked), led) == (True, [])
    assert len(asked) <= tries if slow else len(asked) == tries  # on a busy machine a try may be over before the service has read it
    assert paid == pytest.approx(0.01 * tries)


@MODES
async def test_no_praise_of_a_service_saves_a_draft_that_breaks_its_contract(stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_KEY", "hook-secret")

    async def ask(world: World) -> httpx.Response:
        async with alive(world):
            return await world.ask(tools=TOOLS, stream=stream)

    async with service(says('{"ruling":"accept","confidence":1.0}')) as (url, _, _):
        route = {"verifiers": [hook(url), {"kind": "contract"}, {"kind": "function"}]}
        async with running([WRONG], [CALL], route=route) as world:
            response = await ask(world)
            assert (response.headers["x-smallfirst-tier"], response.headers["x-smallfirst-deferrals"]) == ("large", "contract")
        async with running([WRONG], [WRONG], route=route) as world:
            assert error(await ask(world))[2] == "cascade_exhausted"
