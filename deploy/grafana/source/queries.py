"""The PromQL that panels share."""

ATTEMPTS, DEFERRALS = "smallfirst_attempts_total", "smallfirst_deferrals_total"
REQUESTS, ENDED = "smallfirst_requests_total", "smallfirst_request_seconds_count"
ROUTE = '{route=~"$route"}'
BAD_ABOVE = ((None, "green"), (0.01, "orange"), (0.05, "red"))
BAD_BELOW = ((None, "red"), (0.9, "orange"), (0.97, "green"))


def rate(metric: str, by: str = "", where: str = "") -> str:
    """The per-second rate of a counter of the chosen routes, summed over all but `by`; `where` is a further matcher."""
    matchers = ", ".join(part for part in ('route=~"$route"', where) if part)
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{matchers}}}[$__rate_interval]))"


def ratio(above: str, below: str, by: str, where: str = "") -> str:
    """The rate of one counter, where `where` holds, over that of another."""
    return f"{rate(above, by, where)} / {rate(below, by)}"


def quantile(share: float, metric: str, by: str = "") -> str:
    """A quantile of a histogram of the chosen routes, in its unit."""
    labels = ", ".join(part for part in (by, "le") if part)
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', labels)})"
