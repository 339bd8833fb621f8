"""Servers that several folders of tests share: each is started once, when the first test asks for it."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from server.observers.outcomes.address import engine

INITDB = shutil.which("initdb") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), None)


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """A PostgreSQL server of our own, in a folder of its own: it refuses to run as root, and pytest's folders are closed to other users."""
    if INITDB is None:
        pytest.skip("there is no initdb here")
    with tempfile.TemporaryDirectory(prefix="smallfirst-pg-") as folder:
        user = {"user": "postgres"} if os.geteuid() == 0 else {}
        if user:
            try:
                shutil.chown(folder, "postgres")
            except LookupError:
                pytest.skip("PostgreSQL refuses to run as root, and there is no user postgres")
        given: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **user}
        subprocess.run([INITDB, "-D", f"{folder}/data", "-A", "trust", "-U", "postgres", "-N"], check=True, **given)
        port = _free_port()
        options = ["-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        server = subprocess.Popen([Path(INITDB).resolve().parent / "postgres", "-D", f"{folder}/data", *options], **given)
        try:
            _wait_for(port)
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(30)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(port: int) -> None:
    reached = engine(f"postgresql://postgres@127.0.0.1:{port}/postgres", Path())
    for _ in range(300):
        try:
            reached.connect().close()
            reached.dispose()
            return
        except OperationalError:
            time.sleep(0.1)
    raise TimeoutError("PostgreSQL did not start")


@pytest.fixture
def emptied(cluster: str) -> str:
    """The address of a database on it that holds nothing."""
    address = engine(cluster, Path())
    with address.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    address.dispose()
    return cluster
