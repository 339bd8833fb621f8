"""A bound on what is in flight, so that overload is told at once and nothing queues without end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from router.errors import Overloaded


@dataclass(slots=True)
class Admission:
    """Counts the requests of this process; `retry_after` is in seconds."""

    limit: int
    retry_after: float = 1.0
    inflight: int = 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """A place among those in flight; raises Overloaded when there is none."""
        if self.inflight >= self.limit:
            raise Overloaded(f"{self.limit} requests are in flight already", retry_after=self.retry_after)
        self.inflight += 1
        try:
            yield
        finally:
            self.inflight -= 1
