"""What was answered, by which tier, at what cost, how fast."""

from deploy.grafana.source.panels import Panel, Query, Row
from deploy.grafana.source.queries import BAD_ABOVE, BAD_BELOW, DEFERRALS, REQUESTS, ROUTE, quantile, rate

ROWS = (
    Row(
        "Now",
        (
            Panel(
                "Requests",
                "Requests a second, refused ones too.",
                (Query(f"sum(route:smallfirst_requests:rate5m{ROUTE})"),),
                "reqps",
                "stat",
                4,
            ),
            Panel(
                "Escalated",
                "Share of the requests that more than one tier worked on. What it saves hangs on this staying low.",
                (Query(f"route:smallfirst_escalations:ratio_rate5m{ROUTE}", "{{route}}"),),
                "percentunit",
                "stat",
                4,
            ),
            Panel(
                "Cost per success",
                "Dollars of everything, drafts that were thrown away and failed tasks too, over the tasks that a verifier vouched for.",
                (Query(f"route:smallfirst_cost_per_success_usd:ratio_rate5m{ROUTE}", "{{route}}"),),
                "currencyUSD",
                "stat",
                4,
            ),
            Panel(
                "Answers that kept their form",
                "Share of the checked drafts that satisfied the schema, pattern or choice of their request, by tier.",
                (Query(f"route_tier:smallfirst_schema_valid:ratio_rate5m{ROUTE}", "{{route}}/{{tier}}"),),
                "percentunit",
                "stat",
                4,
                steps=BAD_BELOW,
            ),
            Panel(
                "Errors",
                "Share of the requests that failed on the serving side. Runbook: SmallfirstErrors.",
                (Query(f"route:smallfirst_request_errors:ratio_rate5m{ROUTE}", "{{route}}"),),
                "percentunit",
                "stat",
                4,
                steps=BAD_ABOVE,
            ),
            Panel(
                "Alerts firing",
                "docs/runbook.md has a paragraph for each.",
                (Query('count(ALERTS{alertname=~"Smallfirst.*", alertstate="firing"}) or vector(0)'),),
                "none",
                "stat",
                4,
                steps=((None, "green"), (1, "red")),
            ),
        ),
        5,
    ),
    Row(
        "What was answered",
        (
            Panel(
                "Answers by tier",
                "Which tier's answer the client got.",
                (Query(rate(REQUESTS, "tier", 'code="ok"'), "{{tier}}"),),
                "reqps",
                stacked=True,
            ),
            Panel(
                "Results",
                "The API's code of every request, `ok` or `cancelled`.",
                (Query(rate(REQUESTS, "code"), "{{code}}"),),
                "reqps",
                stacked=True,
            ),
            Panel(
                "Our own verdict",
                "Verified: a verifier accepted it, none objected. Unverified: nothing could judge it, or it was the best there was.",
                (Query(rate("smallfirst_tasks_total", "success"), "{{success}}"),),
                "reqps",
                stacked=True,
            ),
        ),
    ),
    Row(
        "Money",
        (
            Panel(
                "Spending",
                "Dollars an hour by what they were spent on; everything but `answer` the client never saw.",
                (Query(f"3600 * {rate('smallfirst_cost_usd_total', 'kind')}", "{{kind}}"),),
                "currencyUSD",
                stacked=True,
            ),
            Panel(
                "Cost per success",
                "Over five minutes and over an hour. Runbook: SmallfirstCostPerSuccessJump.",
                (
                    Query(f"route:smallfirst_cost_per_success_usd:ratio_rate5m{ROUTE}", "{{route}}, 5 min"),
                    Query(f"route:smallfirst_cost_per_success_usd:ratio_rate1h{ROUTE}", "{{route}}, 1 h"),
                ),
                "currencyUSD",
            ),
            Panel(
                "Spent on what nobody saw",
                "Share of the dollars that went to rejected drafts, repairs, verifiers, audits and cancelled streams.",
                (Query(f"route:smallfirst_cost_not_answers:ratio_rate5m{ROUTE}", "{{route}}"),),
                "percentunit",
                top=1,
            ),
        ),
    ),
    Row(
        "Time",
        (
            Panel(
                "Latency by path",
                "Direct: one tier. Escalated: more than one.",
                (
                    Query(f"route_path:smallfirst_request_seconds:p50_rate5m{ROUTE}", "{{route}} {{path}} p50"),
                    Query(f"route_path:smallfirst_request_seconds:p95_rate5m{ROUTE}", "{{route}} {{path}} p95"),
                ),
                "s",
            ),
            Panel(
                "First token",
                "From arrival to the commit of a stream; before it the client sees nothing.",
                (
                    Query(quantile(0.5, "smallfirst_first_token_seconds", "route"), "{{route}} p50"),
                    Query(quantile(0.95, "smallfirst_first_token_seconds", "route"), "{{route}} p95"),
                ),
                "s",
            ),
            Panel("In flight", "Requests being worked on.", (Query(f"sum by (route) (smallfirst_inflight{ROUTE})", "{{route}}"),), "none"),
        ),
    ),
    Row(
        "Escalations",
        (
            Panel(
                "Reasons",
                "Why tiers were passed over or drafts not kept; one request may have several.",
                (Query(rate(DEFERRALS, "reason"), "{{reason}}"),),
                "reqps",
                width=12,
                stacked=True,
            ),
            Panel(
                "Share escalated",
                "Runbook: SmallfirstEscalations.",
                (Query(f"route:smallfirst_escalations:ratio_rate5m{ROUTE}", "{{route}}"),),
                "percentunit",
                width=12,
                top=1,
            ),
        ),
    ),
)
