"""What each key asks for and takes, and how much of its budget is left; keys are those of the configuration, a closed set."""

from deploy.grafana.source.panels import Panel, Query, Row, Variable

KEYS = Variable("key", "Key", "API keys by their configured names", "smallfirst_key_requests_total")
KEY = '{key=~"$key"}'


def rate(metric: str, by: str = "key") -> str:
    """Per second, of the chosen keys."""
    return f"sum by ({by}) (rate({metric}{KEY}[$__rate_interval]))"


ROWS = (
    Row(
        "Budgets",
        (
            Panel(
                "Used of the budget",
                "The tighter of a key's dollars and tokens, used or held by what is under way. Runbook: SmallfirstBudgetNearlySpent.",
                (Query(f"max by (key, period) (smallfirst_key_budget_used_ratio{KEY})", "{{key}}, {{period}}"),),
                "percentunit",
                "stat",
                12,
                steps=((None, "green"), (0.75, "orange"), (0.9, "red")),
            ),
            Panel(
                "Used over time",
                "Falls to nothing where a day or a month begins.",
                (Query(f"max by (key, period) (smallfirst_key_budget_used_ratio{KEY})", "{{key}}, {{period}}"),),
                "percentunit",
                width=12,
                top=1,
            ),
        ),
    ),
    Row(
        "Spending",
        (
            Panel(
                "Dollars an hour",
                "Everything that a key's requests cost, drafts and verifiers too.",
                (Query(f"3600 * {rate('smallfirst_key_cost_usd_total')}", "{{key}}"),),
                "currencyUSD",
                stacked=True,
            ),
            Panel(
                "Tokens",
                "A second, of all attempts and verifiers.",
                (Query(rate("smallfirst_key_tokens_total"), "{{key}}"),),
                "tps",
                stacked=True,
            ),
            Panel(
                "Dollars a thousand requests",
                "By key: who asks for what is dear.",
                (Query(f"1000 * {rate('smallfirst_key_cost_usd_total')} / {rate('smallfirst_key_requests_total')}", "{{key}}"),),
                "currencyUSD",
            ),
        ),
    ),
    Row(
        "Requests",
        (
            Panel("Requests", "A second, refused ones too.", (Query(rate("smallfirst_key_requests_total"), "{{key}}"),), "reqps", width=12),
            Panel(
                "Results",
                "By the API's code: over a rate or a budget is `overloaded`-like 429s of that key alone.",
                (Query(rate("smallfirst_key_requests_total", "key, code"), "{{key}} {{code}}"),),
                "reqps",
                width=12,
                stacked=True,
            ),
        ),
    ),
)
