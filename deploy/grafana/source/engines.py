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
                "Engines up",
                "Healthy and taking calls, by the gateway that thinks worst of it. Runbook: SmallfirstEngineUnhealthy.",
                (Query("min by (engine) (smallfirst_engine_up)", "{{engine}}"),),
                "bool_yes_no",
                "stat",
                8,
                steps=((None, "red"), (1, "green")),
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
    Row(
        "Machines paid by the hour",
        (
            Panel(
                "Idle machines",
                "Dollars an hour that machines priced by the hour cost while no call ran; none are configured where it is empty.",
                (Query("3600 * sum by (machine) (rate(smallfirst_idle_usd_total[$__rate_interval]))", "{{machine}}"),),
                "currencyUSD",
                width=24,
            ),
        ),
    ),
    Row(
        "Model servers: vLLM's own metrics",
        (
            Panel(
                "Running and waiting",
                "Needs vLLM. Sequences in the batch, and those that wait for a place in it.",
                (
                    Query("sum by (model_name) (vllm:num_requests_running)", "{{model_name}} running"),
                    Query("sum by (model_name) (vllm:num_requests_waiting)", "{{model_name}} waiting"),
                ),
                "none",
            ),
            Panel(
                "Cache in use",
                "Needs vLLM. Near 100 % sequences are preempted and computed again.",
                (Query("max by (model_name) (vllm:kv_cache_usage_perc)", "{{model_name}}"),),
                "percentunit",
                top=1,
            ),
            Panel(
                "Prefix cache",
                "Needs vLLM. Share of the prompt tokens that were not computed again.",
                (
                    Query(
                        "sum by (model_name) (rate(vllm:prefix_cache_hits_total[$__rate_interval])) "
                        "/ sum by (model_name) (rate(vllm:prefix_cache_queries_total[$__rate_interval]))",
                        "{{model_name}}",
                    ),
                ),
                "percentunit",
                top=1,
            ),
            Panel(
                "Tokens made",
                "Needs vLLM. A second, as the server counts them: for everybody it serves.",
                (Query("sum by (model_name) (rate(vllm:generation_tokens_total[$__rate_interval]))", "{{model_name}}"),),
                "tps",
            ),
            Panel(
                "First token",
                "Needs vLLM. From the request's arrival at the model server, 95th percentile.",
                (
                    Query(
                        "histogram_quantile(0.95, sum by (model_name, le) "
                        "(rate(vllm:time_to_first_token_seconds_bucket[$__rate_interval])))",
                        "{{model_name}}",
                    ),
                ),
                "s",
            ),
            Panel(
                "Preemptions",
                "Needs vLLM. A second; above 0 the cache is too small for the load.",
                (Query("sum by (model_name) (rate(vllm:num_preemptions_total[$__rate_interval]))", "{{model_name}}"),),
                "none",
            ),
        ),
    ),
    Row(
        "GPUs: DCGM",
        (
            Panel(
                "Power",
                "Needs a GPU. What the exporter samples; joules by tier and request come from its energy counter.",
                (Query("sum by (gpu) (DCGM_FI_DEV_POWER_USAGE)", "GPU {{gpu}}"),),
                "watt",
            ),
            Panel(
                "Utilisation",
                "Needs a GPU. Share of the time in which a kernel ran.",
                (Query("max by (gpu) (DCGM_FI_DEV_GPU_UTIL) / 100", "GPU {{gpu}}"),),
                "percentunit",
                top=1,
            ),
            Panel(
                "Memory in use",
                "Needs a GPU.",
                (Query("sum by (gpu) (DCGM_FI_DEV_FB_USED) * 1048576", "GPU {{gpu}}"),),
                "bytes",
            ),
        ),
    ),
)
