"""The ledger's exchange over Redis or Valkey: one script a time, so that a batch is added whole and only once."""

import math
from collections.abc import Mapping

from router.errors import ConfigError, StoreUnavailable
from server.access.ledger import Count

try:
    import redis.asyncio as client
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from redis.retry import Retry
except ModuleNotFoundError as missing:
    raise ConfigError(
        "access.redis_env: Redis needs the extra `redis`: pip install 'smallfirst[redis]'", param="access.redis_env"
    ) from missing

DAY = 86_400
KEPT = {10: 3 * DAY, 7: 40 * DAY}
"""Seconds that a window is kept after its last change, by the length of its name: days, months; minutes go sooner."""
MINUTES = 300
REMEMBERED = 3600
"""Seconds that a batch is known to have been told."""
NAME = "{{smallfirst}}:keys:{}"
"""All names lie in one slot of a cluster."""

SCRIPT = """
local fresh = redis.call('SET', KEYS[1], 1, 'NX', 'EX', ARGV[1])
local totals = {}
for index = 2, #KEYS do
  local at = 3 * (index - 2) + 1
  if fresh and ARGV[at + 3] ~= '0.0' then
    redis.call('HINCRBYFLOAT', KEYS[index], ARGV[at + 2], ARGV[at + 3])
    redis.call('EXPIRE', KEYS[index], ARGV[at + 1])
  end
  totals[index - 1] = redis.call('HGET', KEYS[index], ARGV[at + 2]) or '0'
end
return totals
"""


class InRedis:
    """Counts kept by a server; `seconds` is the longest that an exchange may take."""

    def __init__(self, url: str, seconds: float = 2.0) -> None:
        """Connect on first use; raises ConfigError for a URL that is none, without repeating what it says."""
        once = Retry(NoBackoff(), 0)
        try:
            self._client = client.Redis.from_url(
                url, decode_responses=True, socket_timeout=seconds, socket_connect_timeout=seconds, retry=once
            )
        except ValueError as error:
            raise ConfigError(
                "access.redis_env: not the URL of a Redis server, redis://… or rediss://…", param="access.redis_env"
            ) from error
        self._script = self._client.register_script(SCRIPT)

    async def tell(self, batch: str, counted: Mapping[Count, float]) -> Mapping[Count, float]:
        """Add and read in one exchange."""
        names = [NAME.format(f"batch:{batch}"), *(NAME.format(count.window) for count in counted)]
        told: list[str | int] = [REMEMBERED]
        for count, amount in counted.items():
            told += [KEPT.get(len(count.window), MINUTES), f"{count.key}/{count.kind}", repr(float(amount))]
        try:
            found = await self._script(keys=names, args=told)
            totals = dict(zip(counted, map(float, found), strict=True))
        except (RedisError, OSError, ValueError) as error:
            await self._client.connection_pool.disconnect()  # one to a server that now is but a replica stays open and helps no more
            raise StoreUnavailable(f"keys' rates and budgets are counted alone: Redis failed ({type(error).__name__})") from error
        return {count: total for count, total in totals.items() if math.isfinite(total)}

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()
