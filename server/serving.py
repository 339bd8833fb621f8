"""Running the application: one process, or several that share a port; SIGTERM lets what is under way finish."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from server.build import gateway
from server.config import Settings, load
from server.observers.metrics import MULTIPROCESS

PATH = "SMALLFIRST_CONFIG"
DRAIN_SECONDS = 30


def application() -> FastAPI:
    """The application of one worker, by the settings whose path stands in the environment."""
    return from_file(Path(os.environ[PATH]))


def from_file(path: Path) -> FastAPI:
    """The application of these settings; raises ConfigError."""
    return gateway(load(path), path.resolve().parent).app


def serve(path: Path, settings: Settings, workers: int) -> None:
    """Serve until told to stop; raises ConfigError before anything listens."""
    app = from_file(path)
    if workers == 1:
        uvicorn.run(app, **options(settings))
        return
    with tempfile.TemporaryDirectory(prefix="smallfirst-") as counts:
        os.environ |= {PATH: str(path.resolve()), MULTIPROCESS: os.environ.get(MULTIPROCESS, counts)}
        uvicorn.run("server.serving:application", factory=True, workers=workers, **options(settings))


def options(settings: Settings) -> Mapping[str, Any]:
    """uvicorn's; requests have log lines of our own."""
    return {
        "host": settings.listen.host,
        "port": settings.listen.port,
        "log_level": "info",
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": DRAIN_SECONDS,
    }
