"""What every client is given: the address of a running gateway with the bundled models."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """The base URL, with its /v1: of the gateway that `tests/clients/run.sh` started, else of one in this process."""
    given = os.environ.get("SMALLFIRST_URL")
    if given is not None:
        yield given
        return
    if not all((ROOT / "models" / size / "model.onnx").exists() for size in ("small", "large")):
        pytest.skip("the bundled models are not here")
    from server.serving import from_file
    from tests.serving import served

    with served(from_file(ROOT / "deploy/config/demo.yaml")) as address:
        yield f"{address}/v1"
