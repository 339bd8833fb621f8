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
        "What it saves, and whether quality held",
        (
            Panel(
                "Saved",
                "Share of the dollars that the last tier alone had cost, over a day. Runbook: SmallfirstSavesNothing.",
                (Query(f"route:smallfirst_saved:ratio_rate1d{ROUTE}", "{{route}}"),),
                "percentunit",
                "stat",
                4,
                bottom=None,
                steps=((None, "red"), (0, "green")),
            ),
            Panel(
                "Saved an hour",
                "Dollars that the last tier alone had cost more, at the rate of the last five minutes; below 0 the cascade loses.",
                (Query(f"3600 * route:smallfirst_saved_usd:rate5m{ROUTE}", "{{route}}"),),
                "currencyUSD",
                width=8,
                bottom=None,
            ),
            Panel(
                "Kept error bound of its target",
                "At the target's confidence at most so much of the promised share of kept answers is wrong: up to 100 % the promise "
                "is proven, over it it is broken or has too few labels yet. Needs audits or feedback. Runbook: SmallfirstKeptError.",
                (
                    Query(
                        f"max by (route) (smallfirst_kept_error_bound{ROUTE}) "
                        f"/ on (route) max by (route) (smallfirst_kept_error_target{ROUTE})",
                        "{{route}}",
                    ),
                ),
                "percentunit",
                "stat",
                4,
                steps=((None, "green"), (1, "red")),
            ),
            Panel(
                "Good by label",
                "Of the answers that a client or an audit judged, the share that was good.",
                (
                    Query(
                        "sum by (route, source) (increase(smallfirst_labels_total"
                        '{route=~"$route", success="true"}[1h])) '
                        '/ sum by (route, source) (increase(smallfirst_labels_total{route=~"$route"}[1h]))',
                        "{{route}}, {{source}}",
                    ),
                ),
                "percentunit",
                width=4,
                top=1,
            ),
            Panel(
                "Cost per labelled success",
                "Dollars a task over the share of good labels, over a day.",
                (Query(f"route:smallfirst_cost_per_labelled_success_usd:ratio_rate1d{ROUTE}", "{{route}}"),),
                "currencyUSD",
                "stat",
                4,
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
    Row(
        "Energy, where a counter is configured",
        (
            Panel(
                "Joules a request",
                "All attempts and the verifiers that asked a model, over the requests whose joules are all known.",
                (Query(f"route:smallfirst_request_joules:ratio_rate5m{ROUTE}", "{{route}}"),),
                "joule",
                width=6,
            ),
            Panel(
                "Joules a success",
                "Failed tasks and drafts too, over the tasks that a verifier vouched for.",
                (Query(f"route:smallfirst_success_joules:ratio_rate5m{ROUTE}", "{{route}}"),),
                "joule",
                width=6,
            ),
            Panel(
                "Power by tier",
                "Of calls alone, by how it is known; `estimated` is CPU time times watts.",
                (Query("sum by (tier, method) (rate(smallfirst_energy_joules_total[$__rate_interval]))", "{{tier}}, {{method}}"),),
                "watt",
                width=6,
                stacked=True,
            ),
            Panel(
                "Power at rest",
                "While no call ran: nobody's.",
                (Query("method:smallfirst_idle_watts:rate5m", "{{method}}"),),
                "watt",
                width=6,
            ),
        ),
    ),
)
