"""What is kept of requests and answers, and what is told of them."""

from __future__ import annotations

from pydantic import AnyHttpUrl, Field

from server.config.plain import Ratio, Strict


class Outcomes(Strict):
    """Where outcomes are kept, and how many may wait for it; those beyond are lost and counted."""

    url: str
    content: bool = False
    days: float | None = Field(default=90.0, gt=0)
    rows: int | None = Field(default=None, ge=1)
    content_days: float | None = Field(default=None, gt=0)
    queue: int = Field(default=10_000, ge=1)


class LogSettings(Strict):
    """The decision log on the standard output: one line a request; `content` adds prompts and answers."""

    content: bool = False


class StoredResponses(Strict):
    """How long a response may be gone on from: in this process's memory, or with `url` in a database.

    `bytes` bounds all that is held in memory, or each response in a database; with `rows: 0` nothing is stored.
    """

    url: str | None = None
    rows: int = Field(default=10_000, ge=0)
    bytes: int = Field(default=67_108_864, ge=1024)
    days: float = Field(default=30.0, gt=0)


class TracesSettings(Strict):
    """OpenTelemetry spans to an OTLP collector over HTTP; needs the extra `otel`.

    `share` of the requests that no client traces already; `headers_env` names a variable with `name=value` pairs, as for a key.
    """

    endpoint: AnyHttpUrl
    service: str = "smallfirst"
    share: Ratio = 1.0
    timeout: float = Field(default=10.0, gt=0, le=60)
    headers_env: str | None = None
