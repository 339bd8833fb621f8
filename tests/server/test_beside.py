"""What is for operators can have an address of its own, as long as the gateway lives."""

import socket
from pathlib import Path

import httpx
import pytest

from router.errors import ConfigError
from server.beside import bound
from server.config import Internal, parse
from tests.server.access.keyrings import bearing, keys_file
from tests.server.harness import running, world
from tests.server.test_main import SETTINGS, start

BESIDE = ("/metrics", "/dashboard", "/dashboard/data")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_metrics_and_the_dashboard_are_there_and_not_where_clients_are(workers: str, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = tmp_path / "gateway.yaml"
    path.write_text(f"{SETTINGS}\nlisten: {{internal: {{port: {port}}}}}\ndashboard: true\n")
    process, url = start(path, "--workers", workers)
    try:
        inside = f"http://127.0.0.1:{port}"
        asked = httpx.post(f"{url}/v1/chat/completions", json={"model": "auto/large", "messages": [{"role": "user", "content": "hi"}]})
        assert asked.status_code == 200
        assert [httpx.get(url + name).status_code for name in (*BESIDE, "/readyz", "/healthz")] == [404, 404, 404, 200, 200]
        assert [httpx.get(inside + name).status_code for name in (*BESIDE, "/readyz", "/healthz")] == [200] * 5
        assert httpx.get(f"{inside}/v1/models").status_code == 404
        assert 'smallfirst_requests_total{code="ok",route="auto",tier="large"} 1.0' in httpx.get(f"{inside}/metrics").text
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode in (0, -15)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{inside}/healthz")


async def test_there_no_key_is_asked_for_and_here_nothing_is_told_without_one(tmp_path: Path) -> None:
    file, keys = keys_file(tmp_path, ops={"admin": True})
    made = world(access={"keys_file": file}, listen={"internal": {"port": 9090}})
    assert made.gateway.internal is not None
    async with made.client, httpx.AsyncClient(transport=httpx.ASGITransport(made.gateway.internal), base_url="http://inside") as inside:
        assert (await inside.get("/metrics")).status_code == 200
        assert set((await inside.get("/readyz")).json()) == {"status", "routes", "engines"}
        assert (await made.client.get("/readyz")).json() == {"status": "ready"}
        assert (await made.client.get("/metrics", headers=bearing(keys["ops"]))).status_code == 404


async def test_the_document_of_the_clients_address_does_not_tell_of_the_other_one() -> None:
    async with running(listen={"internal": {"port": 9090}}) as made:
        assert "/metrics" not in (await made.client.get("/openapi.json")).json()["paths"]


def test_a_wider_address_must_be_meant() -> None:
    wide = SETTINGS + "listen: {internal: {host: 0.0.0.0, port: 9090%s}}\n"
    with pytest.raises(ConfigError) as caught:
        parse(wide % "")
    assert caught.value.param == "listen.internal.host"
    assert parse(wide % ", open: true").listen.internal == Internal(host="0.0.0.0", port=9090, open=True)  # noqa: S104  # the point of the test


def test_a_port_that_is_taken_is_named_before_anything_is_served() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match=r"listen\.internal"):
            bound(Internal(port=taken.getsockname()[1]), shared=False)
