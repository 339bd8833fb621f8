"""Several worker processes: one that ends is replaced at once, one that does not answer for long is ended first, and nobody is waited for.

uvicorn's own supervisor asks one worker after the other and waits for its answer, for which one that is killed meanwhile lets it wait as
long as one that starves; until then no other is replaced, and no signal heard.
"""

import time
from socket import socket

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process


class Worker(Process):
    """A process that is asked whether it still turns, and looked at again later."""

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self._asked: float | None = None

    def is_alive(self, timeout: float = 5) -> bool:
        """Whether it runs and no question has gone unanswered for `timeout` seconds."""
        if not self.process.is_alive():
            return False
        if self._asked is not None and self.parent_conn.poll(0):
            self.parent_conn.recv()
            self._asked = None
        if self._asked is None:
            self.parent_conn.send(b"ping")
            self._asked = time.monotonic()
        return time.monotonic() - self._asked < timeout


class Workers(Multiprocess):
    """Keeps the configured number of them; one that cannot even start ends them all."""

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
            if worker.exitcode == STARTUP_FAILURE:
                self.should_exit.set()
            else:
                self.processes[index] = self._started()

    def _started(self) -> Worker:
        made = Worker(self.config, self.sockets)
        made.start()
        return made
