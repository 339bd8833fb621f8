from pathlib import Path

import httpx
import pytest
from uvicorn.config import STARTUP_FAILURE

from server.config import load
from server.serving import PATH, application, options

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
