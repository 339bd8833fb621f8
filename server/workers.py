"""Several worker processes: one that ends is replaced at once, one that does not answer for long is ended first, and nobody is waited for.

uvicorn's own supervisor asks one worker after the other and waits for its answer, for which one that is killed meanwhile lets it wait as
long as one that starves; until then no other is replaced, and no signal heard. So does its restart wait, for each worker that comes and for
each that leaves.
"""

import logging
import time
from socket import socket

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

_log = logging.getLogger("uvicorn.error")


class Worker(Process):
    """A process that is asked whether it still turns, and looked at again later."""

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self._asked: float | None = None
        self.serves = False
        """Whether it has said that it has started."""

    def is_alive(self, timeout: float = 5) -> bool:
        """Whether it runs and no question has gone unanswered for `timeout` seconds."""
        if not self.process.is_alive():
            return False
        if self._asked is not None and self.parent_conn.poll(0):
            self.serves = self.parent_conn.recv()
            self._asked = None
        if self._asked is None:
            self.parent_conn.send(b"ping")
            self._asked = time.monotonic()
        return time.monotonic() - self._asked < timeout


class Workers(Multiprocess):
    """Keeps the configured number of them; one that cannot even start ends them all where none serves.

    SIGHUP replaces them one after the other by new ones, which read the configuration and the certificates again: each leaves once its
    successor serves, and all stay where one does not. SIGTTIN adds one, SIGTTOU takes one away.
    """

    processes: list[Worker]  # type: ignore[assignment]  # a list of its own kind of them

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self._old: list[Worker] = []
        self._coming: Worker | None = None
        self._leaving: list[Worker] = []

    def init_processes(self) -> None:
        """Start them."""
        self.processes += [self._started() for _ in range(self.processes_num)]

    def keep_subprocess_alive(self) -> None:
        """Replace what has ended or hangs."""
        for index, worker in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if worker.is_alive(self.config.timeout_worker_healthcheck):
                continue
            worker.kill()
            worker.join()
            if worker.exitcode == STARTUP_FAILURE and not any(other.serves for other in self.processes):
                self.should_exit.set()
            else:
                self.processes[index] = self._started()
        self._leaving = [worker for worker in self._leaving if worker.process.is_alive()]
        self._restart()

    def restart_all(self) -> None:
        """Begin to replace them."""
        self._old = list(self.processes)

    def handle_ttin(self) -> None:
        """One more."""
        self.processes.append(self._started())

    def handle_ttou(self) -> None:
        """One less, while there are two."""
        if len(self.processes) > 1:
            self._leave(self.processes[-1])

    def terminate_all(self) -> None:
        """Ask all to leave."""
        self.processes += [] if self._coming is None else [self._coming]
        super().terminate_all()

    def join_all(self) -> None:
        """Wait until all have left."""
        self.processes += self._leaving
        super().join_all()

    def _restart(self) -> None:
        """The next step of replacing the old ones; those that have gone meanwhile were replaced already."""
        self._old = [worker for worker in self._old if worker in self.processes]
        if self._coming is None:
            self._coming = self._started() if self._old else None
        elif not self._coming.is_alive(self.config.timeout_worker_healthcheck):
            self._coming.kill()
            self._coming.join()
            self._coming, self._old = None, []
            _log.error("A new worker does not start: the old ones stay.")
        elif self._coming.serves:
            self.processes.append(self._coming)
            self._leave(self._old.pop(0) if self._old else self._coming)
            self._coming = None

    def _leave(self, worker: Worker) -> None:
        self.processes.remove(worker)
        worker.terminate()
        self._leaving.append(worker)

    def _started(self) -> Worker:
        made = Worker(self.config, self.sockets)
        made.start()
        return made
