"""Posts to the operator's own services: one configured address, no redirects, no proxies of the environment, a bounded answer."""

import asyncio
from collections.abc import Mapping

import httpx

from router.ports import CannotPost

MOST_BYTES = 65_536
_PLAIN = {"accept-encoding": "identity"}
"""A compressed answer could be a thousand times longer than what came of it."""


class HttpPost:
    """The port `Post` over one pool of connections; `close` ends them."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(transport=transport, follow_redirects=False, trust_env=False)

    async def __call__(self, url: str, body: bytes, headers: Mapping[str, str], timeout: float) -> tuple[int, bytes]:  # noqa: ASYNC109  # the port's
        """Status and body, whatever the status; CannotPost after `timeout` seconds, without connection, beyond 64 KiB, or compressed."""
        try:
            async with (
                asyncio.timeout(timeout),
                self._client.stream("POST", url, content=body, headers={**headers, **_PLAIN}, timeout=timeout) as answer,
            ):
                return answer.status_code, await _bounded(answer)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise CannotPost(f"{type(error).__name__} from the configured address") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def _bounded(answer: httpx.Response) -> bytes:
    if answer.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise CannotPost("the answer is compressed, which it was asked not to be")
    found = b""
    async for piece in answer.aiter_bytes():
        found += piece
        if len(found) > MOST_BYTES:
            raise CannotPost(f"the answer is longer than {MOST_BYTES} bytes")
    return found
