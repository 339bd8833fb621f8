"""From a request's body to an answer that has begun: choosing a replica, trying again where that is safe, and keeping the books."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import field
from random import random

from router.errors import EngineFailure, EngineOverloaded, EngineRejected
from router.types.records import record
from server.engines.openai.client import Client
from server.engines.openai.connection import Interrupted
from server.engines.openai.errors import of_status, of_trouble
from server.engines.openai.exchange import Exchange
from server.engines.openai.replicas import Replica, Replicas
from server.engines.openai.retry import Retry, Trouble

ERROR_BYTES = 16 * 1024
SUCCESS = 200


@record(frozen=True, slots=True)
class Order:
    """What is to be sent: `prefix` chooses the replica, `deadline` is the loop's time for all of it, `own` says it is the engine's.

    `request` is the id of the request that it belongs to.
    """

    body: bytes
    headers: Mapping[str, str]
    prefix: str
    deadline: float
    own: bool
    streamed: bool
    path: str
    request: str


@record(slots=True)
class Leased:
    """An answer under way on a replica; `end` must be called once."""

    replica: Replica
    exchange: Exchange

    def end(self, health: bool | None) -> None:
        """The call is over; `health` is what it said of the server, `None` for nothing. Ends the exchange upstream where it still runs."""
        self.exchange.close()
        settle(self.replica, health)


@record(frozen=True, slots=True)
class Opener:
    """Sends orders; `chance` is uniform in [0, 1), for jitter; `secret` is cut out of error texts."""

    client: Client
    replicas: Replicas
    retry: Retry
    secret: str | None = field(default=None, repr=False)
    chance: Callable[[], float] = random

    async def open(self, order: Order) -> Leased:
        """The first answer that is one, after as many tries as are safe; raises the last try's EngineFailure."""
        tried: list[str] = []
        failure: EngineFailure | None = None
        cause: Trouble | int
        while (replica := self.replicas.choose(order.prefix, tried, order.request)) is not None:
            tried.append(replica.url)
            replica.inflight += 1
            if replica.breaker.opened is not None:
                replica.breaker = replica.breaker.sent()
            try:
                url = f"{replica.url}/{order.path}"
                exchange = await self.client.post(url, order.body, order.headers, deadline=order.deadline, streamed=order.streamed)
            except Interrupted as interrupted:
                settle(replica, health_after_trouble(interrupted.trouble, order))
                failure, cause = of_trouble(interrupted.trouble), interrupted.trouble
            except BaseException:
                settle(replica, None)
                raise
            else:
                leased = Leased(replica, exchange)
                if exchange.status == SUCCESS:
                    if len(self.replicas.members) > 1:
                        self.replicas.remember(order.request, replica)
                    return leased
                failure, cause = await self._refusal(leased), exchange.status
            await self._pause(failure, cause, order, tried)
        raise failure or EngineFailure("no server of this engine is available")

    async def _refusal(self, leased: Leased) -> EngineFailure:
        """What an answer says that is none, and the end of its call."""
        health: bool | None = None
        try:
            failure = of_status(leased.exchange.status, await _error_body(leased.exchange), self.secret)
            failure.retry_after = leased.exchange.retry_after
            health = health_after(failure)
        finally:
            leased.end(health)
        return failure

    async def _pause(self, failure: EngineFailure, cause: Trouble | int, order: Order, tried: list[str]) -> None:
        """Wait until the next try, or raise where there is none."""
        elsewhere = self._elsewhere(order.prefix, tried)
        wait = self.retry.delay(len(tried), cause, retry_after=failure.retry_after, elsewhere=elsewhere, chance=self.chance())
        if wait is None or now() + wait >= order.deadline:
            raise failure
        await asyncio.sleep(wait)

    def _elsewhere(self, prefix: str, tried: list[str]) -> bool:
        other = self.replicas.choose(prefix, tried)
        return other is not None and other.url not in tried


def settle(replica: Replica, health: bool | None) -> None:
    """Book the end of a call."""
    replica.inflight -= 1
    if health is None:
        replica.breaker = replica.breaker.released()
    elif not health:
        replica.breaker = replica.breaker.failed(now())
    elif replica.breaker.failures:  # else there is nothing to forget
        replica.breaker = replica.breaker.succeeded()


def health_after(failure: EngineFailure) -> bool | None:
    """A refusal is the answer of a healthy server, an overload says nothing, the rest speaks against it."""
    if isinstance(failure, EngineRejected):
        return True
    return None if isinstance(failure, EngineOverloaded) else False


def health_after_trouble(trouble: Trouble, order: Order) -> bool | None:
    """A client's own short deadline, or a pool that is full until then, says nothing of the server."""
    return None if trouble == "total_timeout" and not order.own else False


def now() -> float:
    """The event loop's clock, by which deadlines are kept."""
    return asyncio.get_running_loop().time()


async def _error_body(exchange: Exchange) -> bytes:
    try:
        return await exchange.body(ERROR_BYTES)
    except Interrupted:
        return b""
