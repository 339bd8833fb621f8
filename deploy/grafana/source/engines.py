"""Health, calls, tokens and money of each tier's engine."""

from deploy.grafana.source.panels import Panel, Query, Row
from deploy.grafana.source.queries import ATTEMPTS, BAD_ABOVE, DEFERRALS, ROUTE, quantile, rate, ratio

ROWS = (
    Row(
        "Health",
        (
            Panel(
                "Gateways up",
                "Scraped with success. Runbook: SmallfirstDown.",
                (Query('up{job="smallfirst"}', "{{instance}}"),),
                "bool_yes_no",
                "stat",
                8,
            ),
            Panel(
                "Failed calls",
                "Share of the calls for a tier's engine that failed or found its breaker open. Runbook: SmallfirstEngineDown.",
                (Query(f"route_tier:smallfirst_engine_lost:ratio_rate5m{ROUTE}", "{{route}}/{{tier}}"),),
                "percentunit",
                top=1,
                steps=BAD_ABOVE,
            ),
            Panel(
                "Passed over",
                "Requests a second that found a tier's engine taking no calls. Runbook: SmallfirstBreakerOpen.",
                (
                    Query(
                        rate(DEFERRALS, "route, tier", 'reason="breaker_open"') + " or 0 * " + rate(ATTEMPTS, "route, tier"),
                        "{{route}}/{{tier}}",
                    ),
                ),
                "reqps",
            ),
        ),
    ),
    Row(
        "Calls",
        (
            Panel("Calls", "A second, by tier.", (Query(rate(ATTEMPTS, "route, tier"), "{{route}}/{{tier}}"),), "reqps"),
            Panel(
                "Duration of a call",
                "One engine call, drafts that were thrown away too.",
                (
                    Query(quantile(0.5, "smallfirst_attempt_seconds", "route, tier"), "{{route}}/{{tier}} p50"),
                    Query(quantile(0.95, "smallfirst_attempt_seconds", "route, tier"), "{{route}}/{{tier}} p95"),
                ),
                "s",
            ),
            Panel(
                "Calls under way",
                "On the mean, by Little's law: calls a second times their duration.",
                (Query(rate("smallfirst_attempt_seconds_sum", "route, tier"), "{{route}}/{{tier}}"),),
                "none",
            ),
        ),
    ),
    Row(
        "Tokens and money",
        (
            Panel(
                "Tokens",
                "A second, of every attempt.",
                (Query(rate("smallfirst_tokens_total", "route, tier, kind"), "{{route}}/{{tier}} {{kind}}"),),
                "tps",
                stacked=True,
            ),
            Panel(
                "Tokens made a call",
                "Completion tokens of a call, on the mean.",
                (
                    Query(
                        ratio("smallfirst_tokens_total", ATTEMPTS, "route, tier", 'kind="completion"'),
                        "{{route}}/{{tier}}",
                    ),
                ),
                "none",
            ),
            Panel(
                "Dollars a thousand calls",
                "What a tier's calls and the verifiers of its drafts cost.",
                (
                    Query(
                        "1000 * " + ratio("smallfirst_cost_usd_total", ATTEMPTS, "route, tier"),
                        "{{route}}/{{tier}}",
                    ),
                ),
                "currencyUSD",
            ),
        ),
    ),
    Row(
        "The gateway itself",
        (
            Panel(
                "Overhead",
                "What a request takes beside its engine calls, over all routes. Runbook: SmallfirstOverhead.",
                tuple(
                    Query(f"histogram_quantile({share}, sum by (le) (rate(smallfirst_overhead_seconds_bucket[$__rate_interval])))", name)
                    for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
                ),
                "s",
                width=12,
            ),
            Panel(
                "In flight",
                "Requests being worked on, by gateway.",
                (Query(f"sum by (instance, route) (smallfirst_inflight{ROUTE})", "{{instance}} {{route}}"),),
                "none",
                width=6,
            ),
            Panel(
                "Outcomes lost",
                "A second, entries that the store did not take. Runbook: SmallfirstOutcomesLost.",
                (Query("sum by (instance) (rate(smallfirst_outcomes_lost_total[$__rate_interval]))", "{{instance}}"),),
                "none",
                width=6,
            ),
        ),
    ),
)
