from pathlib import Path

import httpx

from server.config import load
from server.serving import options

DEMO = Path(__file__).parents[2] / "deploy" / "config" / "demo.yaml"


def test_a_client_gives_an_idle_connection_up_before_the_gateway_does() -> None:
    """Where both wait equally long, a request now and then meets a connection that is just being closed."""
    patience = httpx.Limits().keepalive_expiry
    assert patience is not None
    assert options(load(DEMO), DEMO.parent)["timeout_keep_alive"] > 2 * patience


def test_a_worker_that_gets_no_cpu_for_a_while_is_not_taken_for_dead() -> None:
    found = options(load(DEMO), DEMO.parent)
    assert found["timeout_worker_healthcheck"] >= 0.5 * found["timeout_graceful_shutdown"] >= 10
