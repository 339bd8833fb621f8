"""Two worker processes with the bundled models: what `/metrics` says is what all clients were told, whoever answered them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from server.demo import REQUESTS
from tests.server.observers.test_names import FIXED
from tests.server.test_main import start

ROOT = Path(__file__).parents[2]
ELSEWHERE = {"cost_per_success_usd", "calibration_error", "kept_error_bound", "drift"}
"""The first is a recording rule where several workers serve; the others need more labels than this makes."""
TOOL = {"name": "set_timer", "parameters": {"type": "object", "properties": {"minutes": {"type": "integer"}}, "required": ["minutes"]}}


class Counted:
    """The samples of one exposition."""

    def __init__(self, text: str) -> None:
        self.samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def sum(self, name: str, **labels: str) -> float:
        """Over all other labels."""
        return sum(s.value for s in self.samples if s.name == f"smallfirst_{name}" and labels.items() <= s.labels.items())


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("together")
    shipped = yaml.safe_load((ROOT / "deploy" / "config" / "embedded.yaml").read_text())
    shipped |= {
        "listen": {"host": "127.0.0.1", "port": 8080},
        "outcomes": {"url": f"sqlite:///{folder}/outcomes.db", "content": False},
        "energy": [{"kind": "estimated", "watts": 10, "engines": ["slm", "llm"]}],
    }
    shipped["routes"]["auto"]["verifiers"][2]["calibration"] = str(ROOT / "deploy" / "config" / "calibration" / "auto.json")
    path = folder / "gateway.yaml"
    path.write_text(yaml.safe_dump(shipped))
    process, address = start(path, "--workers", "2", log=folder / "log")
    yield address
    process.terminate()
    process.wait(30)


def asked(url: str, text: str, **more: Any) -> httpx.Response:
    """On a connection of its own, so that either worker may take it."""
    body = {"model": "auto", "messages": [{"role": "user", "content": text}], "max_tokens": 32, **more}
    return httpx.post(f"{url}/v1/chat/completions", json=body, headers={"x-smallfirst-explain": "1"}, timeout=60)


def test_every_fixed_name_is_the_sum_over_the_workers(url: str) -> None:
    tools = [{"type": "function", "function": TOOL}]
    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(lambda text: asked(url, text, tools=tools, tool_choice="required"), REQUESTS * 2))
        streams = list(clients.map(lambda text: asked(url, text, stream=True), REQUESTS[:4]))
    judged = httpx.post(f"{url}/v1/outcomes", json={"response_id": answers[0].json()["id"], "success": True})
    refused = asked(url, "hi", max_tokens=0)
    assert {answer.status_code for answer in (*answers, *streams)} == {200}
    assert (judged.is_success, refused.status_code) == (True, 400)
    texts = [httpx.get(f"{url}/metrics").text for _ in range(4)]
    counted = Counted(texts[0])
    told = [answer.json()["smallfirst"] for answer in answers]

    assert {name for name in FIXED if f"smallfirst_{name}" not in "".join(texts)} <= ELSEWHERE
    assert counted.sum("requests_total", code="ok") == len(answers) + len(streams)
    assert counted.sum("requests_total", code="invalid_request") == 1
    assert counted.sum("request_seconds_count") == len(answers) + len(streams)
    assert counted.sum("first_token_seconds_count") == len(streams)
    assert counted.sum("tasks_total") == len(answers) + len(streams)
    assert counted.sum("attempts_total") == counted.sum("attempt_seconds_count") >= sum(len(one["attempts"]) for one in told)
    assert counted.sum("labels_total", source="feedback") == 1
    assert counted.sum("inflight") == 0
    assert counted.sum("engine_up", engine="slm") == 1
    assert counted.sum("energy_joules_count", method="estimated") == len(answers) + len(streams)
    assert counted.sum("cost_usd_total", kind="answer") >= sum(one["attempts"][-1]["cost_usd"] for one in told)
