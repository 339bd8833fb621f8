"""Keeps servers running: each in a process group of its own, started again when it ends, its output told line by line.

It runs as a process beside the gateway (`python -m server.engines.vllm`), reads what to run from its standard input and goes on until
that ends, which it also does when the gateway is killed. Should it be killed itself, the kernel ends its servers.
"""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from server.orphans import end_with

GRACE = 15.0
"""Seconds between asking a server to stop and stopping it."""
STEADY = 60.0
"""A server that ran for so many seconds is started again without delay beyond the first."""
LONGEST = 60.0
LINE = 4000
SECRET = re.compile(r"(?i)key|token|secret|passw|credential")
"""Names of variables whose values are not told."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run: `environment` is the whole of it."""

    engine: str
    command: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Keeper:
    """Runs one program for ever; `tell` hears (engine, sentence)."""

    program: Program
    tell: Callable[[str, str], None]

    async def keep(self) -> None:
        """Until cancelled, which stops the program and all that it started."""
        loop, pause = asyncio.get_running_loop(), 1.0
        while True:
            began = loop.time()
            ended = await self._run()
            pause = 1.0 if loop.time() - began >= STEADY else pause
            self._say(f"{ended}; it is started again in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(LONGEST, 2 * pause)

    async def _run(self) -> str:
        """One life of the program; says how it ended."""
        output, end = os.pipe()  # not one of asyncio's own, which holds up `wait` for as long as a child of the program has it
        told = asyncio.create_task(self._tell(output))
        try:
            process = await asyncio.create_subprocess_exec(
                *self.program.command,
                stdin=DEVNULL,
                stdout=end,
                stderr=end,
                env=dict(self.program.environment),
                start_new_session=True,
                preexec_fn=partial(end_with, os.getpid()),
            )
        except OSError as error:
            return f"the server cannot be started: {error.strerror}"
        finally:
            os.close(end)
        self._say(f"the server is started, process {process.pid}")
        try:
            code = await process.wait()
        finally:
            await _stopped(process)
            with suppress(TimeoutError):
                await asyncio.wait_for(told, 1)
        return f"the server ended with code {code}"

    async def _tell(self, output: int) -> None:
        """What comes out of this pipe, line by line; a line without end is told in pieces."""
        reader, rest = asyncio.StreamReader(), b""
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(output, "rb")
        )
        while piece := await reader.read(65536):
            *lines, rest = re.split(rb"[\r\n]+", rest + piece)
            if len(rest) > LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._say(line.decode("utf-8", "replace").strip())
        self._say(rest.decode("utf-8", "replace").strip())
        transport.close()

    def _say(self, sentence: str) -> None:
        if sentence:
            self.tell(self.program.engine, without_secrets(sentence, self.program.environment)[:LINE])


def without_secrets(text: str, environment: Mapping[str, str]) -> str:
    """The text without the values of variables whose names speak of secrets."""
    for name, value in environment.items():
        if SECRET.search(name) and len(value) >= 6:
            text = text.replace(value, "***")
    return text


async def _stopped(process: Process) -> None:
    """The program is asked to stop and given time; whatever is left of its group after that is killed."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _print(engine: str, sentence: str) -> None:
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps({"event": "vllm", "engine": engine, "message": sentence}) + "\n")
        sys.stdout.flush()


async def run(programs: Sequence[Program], over: asyncio.Event) -> None:
    """Keep all of them until it is over."""
    keepers = [asyncio.create_task(Keeper(program, _print).keep()) for program in programs]
    await over.wait()
    for keeper in keepers:
        keeper.cancel()
    await asyncio.gather(*keepers, return_exceptions=True)


async def main() -> None:
    """The programs are one line of JSON; the end of the input ends them."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    reader = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    given = json.loads(await reader.readline() or "[]")
    until = asyncio.create_task(_ended(reader, over))
    await run([Program(**program) for program in given], over)
    until.cancel()


async def _ended(reader: asyncio.StreamReader, over: asyncio.Event) -> None:
    await reader.read()
    over.set()
