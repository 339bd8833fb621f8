import asyncio
import logging
import sys
from pathlib import Path

import httpx
import pytest
from uvicorn.config import STARTUP_FAILURE

from server.config import load
from server.seldom import EVERY, Seldom
from server.serving import PATH, application, options
from tests.server.test_draining import free_port, settings, status

DEMO = Path(__file__).parents[2] / "deploy" / "config" / "demo.yaml"


def test_a_client_gives_an_idle_connection_up_before_the_gateway_does() -> None:
    """Where both wait equally long, a request now and then meets a connection that is just being closed."""
    patience = httpx.Limits().keepalive_expiry
    assert patience is not None
    assert options(load(DEMO), DEMO.parent)["timeout_keep_alive"] > 2 * patience


def test_a_worker_that_gets_no_cpu_for_a_while_is_not_taken_for_dead() -> None:
    found = options(load(DEMO), DEMO.parent)
    assert found["timeout_worker_healthcheck"] >= 0.5 * found["timeout_graceful_shutdown"] >= 10


def test_a_worker_whose_configuration_is_wrong_ends_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.yaml").write_text("routes: 3")
    monkeypatch.setenv(PATH, str(tmp_path / "broken.yaml"))
    with pytest.raises(SystemExit) as ended:
        application()
    assert ended.value.code == STARTUP_FAILURE
    assert capsys.readouterr().err.startswith("smallfirst: ")


def test_the_same_warning_is_written_seldom_and_an_error_always() -> None:
    now = 0.0
    seldom = Seldom(lambda: now)

    def written(text: str, level: int) -> bool:
        return seldom(logging.LogRecord("uvicorn.error", level, "", 0, text, None, None))

    assert [written("no HTTP", logging.WARNING) for _ in range(3)] == [True, False, False]
    assert written("another", logging.WARNING)
    assert [written("a bug", logging.ERROR) for _ in range(2)] == [True, True]
    now = EVERY
    assert written("no HTTP", logging.WARNING)


async def test_who_sends_no_http_fills_no_log(tmp_path: Path) -> None:
    port = free_port()
    command = ["-m", "server", "serve", "--config", str(settings(tmp_path, "http://127.0.0.1:1/v1", delay=0)), "--port", str(port)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        while await status(client, "/healthz") != 200:
            await asyncio.sleep(0.05)
    for _ in range(50):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"NONSENSE\0\r\n\r\n")
        assert b" 400 " in await reader.readline()
        writer.close()
        await writer.wait_closed()
    process.terminate()
    _, said = await process.communicate()
    assert 1 <= said.count(b"Invalid HTTP request") < 10
