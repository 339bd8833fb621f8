"""Through the gateway: every joule and every dollar of machine time has its method, its tier and its kind, or is absent."""

import asyncio
import http.server
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from router.errors import ConfigError
from router.types import Chunk, EngineCall
from server.build import gateway
from server.config import checked
from server.observers.energy.ledger import Lane, Ledger
from server.observers.energy.metered import MeteredEngine
from tests.server.harness import CALL, PATH, TOOLS, Reply, alive, running, settings

RENTED = {
    "tiers": [
        {"name": "small", "engine": "slm", "price": {"hour": 3600}},
        {"name": "large", "engine": "llm", "price": {"prompt": 10, "completion": 10}},
    ]
}


class Exporter(http.server.BaseHTTPRequestHandler):
    """A DCGM exporter whose only GPU draws 1,000 J between two scrapes."""

    scrapes = 0

    def do_GET(self) -> None:
        type(self).scrapes += 1
        text = f'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{gpu="0",UUID="GPU-a"}} {self.scrapes * 1_000_000}\n'.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


@pytest.fixture
def exporter() -> Iterator[str]:
    Exporter.scrapes = 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_joules_of_a_scraped_gpu_stand_in_the_account_and_in_the_metrics(exporter: str) -> None:
    counter = {"kind": "dcgm", "url": exporter, "engines": ["slm", "llm"], "every": 0.1}
    async with running(['{"message":"no"}'], [CALL], energy=[counter]) as world, alive(world):
        told: dict[str, Any] = {"joules": None}
        for _ in range(100):
            answer = await world.ask(tools=TOOLS, tool_choice="required", headers={"x-smallfirst-explain": "1"})
            told = answer.json()["smallfirst"]
            if told["joules"]:
                break
            await asyncio.sleep(0.05)
        exposition = (await world.client.get("/metrics")).text
    assert told["energy_method"] == "dcgm"
    assert told["joules"] == pytest.approx(sum(attempt["joules"] for attempt in told["attempts"]))
    assert 'smallfirst_energy_joules_total{method="dcgm",tier="large"}' in exposition
    assert 'smallfirst_energy_joules_count{method="dcgm",route="auto"}' in exposition
    assert 'smallfirst_energy_idle_joules_total{method="dcgm"}' in exposition


async def test_what_a_guard_asked_of_a_model_is_counted_before_any_tier(exporter: str) -> None:
    counter = {"kind": "dcgm", "url": exporter, "engines": ["slm", "llm"], "every": 0.1}
    asked = {"engine": "llm", "policy": "nothing", "price": {"prompt": 2, "completion": 3}}
    route = {"guards": [{"kind": "prompt", "classifier": asked}]}
    async with running(["hello"], [Reply("clear", delay=0.02)], route=route, energy=[counter]) as world, alive(world):
        told: dict[str, Any] = {"joules": None}
        for _ in range(100):
            told = (await world.ask(headers={"x-smallfirst-explain": "1"})).json()["smallfirst"]
            if told["joules"] and told["joules"] > told["attempts"][0]["joules"]:  # the counter moved while the guard asked
                break
            await asyncio.sleep(0.05)
        exposition = (await world.client.get("/metrics")).text
        prompt = await world.metric("tokens_total", route="auto", tier="", kind="verifier_prompt")
        joules = await world.metric("energy_joules_total", tier="", method="dcgm")
    [attempt] = told["attempts"]
    assert told["joules"] > attempt["joules"]
    assert joules > 0
    assert prompt == sum(world.large.prompt_tokens(call) for call in world.large.calls)
    assert 'smallfirst_tokens_total{kind="verifier_completion",route="auto",tier=""}' in exposition


async def test_the_embedded_models_cpu_time_is_an_estimate_and_labelled_so() -> None:
    counter = {"kind": "estimated", "watts": 10, "engines": ["slm"]}
    engines = {"slm": {"kind": "embedded", "path": "small"}, "llm": {"kind": "scripted", "replies": [CALL]}}
    made = gateway(settings(engines=engines, energy=[counter]), Path("/nowhere"), write=lambda line: None)
    body = {"model": "auto/small", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 8}
    transport = httpx.ASGITransport(made.app)
    async with made.app.router.lifespan_context(made.app), httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.post(PATH, json=body, headers={"x-smallfirst-explain": "1"})
        account = answer.json()["smallfirst"]
    [attempt] = account["attempts"]
    assert attempt["energy_method"] == "estimated"
    assert 0 < attempt["joules"] < 100


async def test_without_a_counter_there_is_no_number() -> None:
    async with running() as world, alive(world):
        answer = await world.ask(headers={"x-smallfirst-explain": "1"})
        exposition = (await world.client.get("/metrics")).text
    assert answer.json()["smallfirst"]["joules"] is None
    assert answer.json()["smallfirst"]["energy_method"] is None
    assert "smallfirst_energy_joules_total{" not in exposition
    assert "smallfirst_energy_joules_count{" not in exposition


async def test_one_unmeasured_attempt_leaves_the_sum_unknown(tmp_path: Path) -> None:
    counter = {"kind": "rapl", "root": str(_rapl(tmp_path)), "engines": ["slm"]}
    async with running(['{"message":"no"}'], [CALL], energy=[counter]) as world, alive(world):
        answer = await world.ask(tools=TOOLS, tool_choice="required", headers={"x-smallfirst-explain": "1"})
    told = answer.json()["smallfirst"]
    assert [attempt["energy_method"] for attempt in told["attempts"]] == ["rapl", None]
    assert told["joules"] is None


async def test_a_machine_paid_by_the_hour_costs_the_seconds_that_its_calls_took() -> None:
    """3,600 dollars an hour are one a second, so that the dollars of a call that ran alone are its seconds."""
    async with running(route=RENTED) as world, alive(world):
        answer = await world.ask(headers={"x-smallfirst-explain": "1"})
        [attempt] = answer.json()["smallfirst"]["attempts"]
        spent = await world.metric("cost_usd_total", route="auto", tier="small", kind="answer")
    assert attempt["cost_usd"] == pytest.approx(attempt["seconds"], rel=0.5)
    assert spent == pytest.approx(attempt["cost_usd"])


class Joining:
    """An engine whose pieces come together, without token details or usage."""

    name = "slm"

    async def stream(self, call: EngineCall) -> AsyncGenerator[Chunk, None]:  # noqa: ARG002
        yield Chunk(text="a b c", pieces=3)
        yield Chunk(text=" d e", pieces=2, finish_reason="stop")


class Recording:
    """A meter that notes what calls took in all."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.made = ledger, list[float]()

    def catch_up(self, now: float) -> None:
        self.made.append(sum(lane.shown for lane in self.ledger.lanes.values()))
        self.ledger.read(now, now)

    def note(self, receipt: object, amount: float) -> None: ...


async def test_pieces_that_came_together_weigh_as_many() -> None:
    meter = Recording(Ledger(1.0, lanes={"slm": Lane()}))
    made = MeteredEngine(cast(Any, Joining()), (cast(Any, meter),), iter(range(9)).__next__)
    assert [chunk.pieces async for chunk in made.stream(EngineCall("1", ()))] == [3, 2]
    assert meter.made == [3]
    assert meter.ledger.lanes["slm"].pace == pytest.approx(5 / 1)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"energy": [{"kind": "rapl", "engines": ["nobody"]}]}, "energy.0.engines"),
        ({"energy": [{"kind": "rapl", "engines": []}]}, "energy.0.engines"),
        ({"energy": [{"kind": "estimated", "engines": ["slm"]}]}, "energy.0.watts"),
        ({"energy": [{"kind": "sunlight", "engines": ["slm"]}]}, "energy.0.kind"),
        ({"route": {"tiers": [{"engine": "slm", "price": {"hour": -1}}]}}, "routes.auto.tiers.0.price.hour"),
        ({"route": {"tiers": [{"engine": "slm", "price": {"hour": 1, "prompt": 2}}]}}, "routes.auto.tiers.0.price.prompt"),
        (
            {"route": {"tiers": [{"engine": n, "price": {"hour": h, "machine": "m"}} for n, h in (("slm", 1), ("llm", 2))]}},
            "routes.auto.tiers.1.price.hour",
        ),
        (
            {"route": {"tiers": [{"name": n, "engine": "slm", "price": {"hour": 1, "machine": n}} for n in ("a", "b")]}},
            "routes.auto.tiers.1.price.machine",
        ),
    ],
)
def test_a_mistake_names_its_key(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(aliases={}, **changes)
    assert caught.value.param == key


async def test_a_counter_that_is_not_there_stops_the_start_and_names_its_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"energy\.0: no RAPL domain"):
        async with running(energy=[{"kind": "rapl", "root": str(tmp_path), "engines": ["slm"]}]):
            pass
    with pytest.raises(ConfigError, match=r"energy\.0: 'slm' is not computed in this process"):
        async with running(energy=[{"kind": "estimated", "watts": 5, "engines": ["slm"]}]):
            pass


def _rapl(root: Path) -> Path:
    zone = root / "intel-rapl:0"
    zone.mkdir()
    for name, value in (("name", "package-0"), ("max_energy_range_uj", "262143328850"), ("energy_uj", "1000000")):
        (zone / name).write_text(value)
    return root


def test_the_configuration_takes_hours_and_tokens_side_by_side() -> None:
    found = settings(route=RENTED)
    assert checked(found.model_dump()) == found
