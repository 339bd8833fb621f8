"""How sure the drafts were, what the verifiers said, why tiers were left."""

from deploy.grafana.source.panels import Panel, Query, Row
from deploy.grafana.source.queries import ATTEMPTS, DEFERRALS, ENDED, ROUTE, rate, ratio

ROWS = (
    Row(
        "Confidence",
        (
            Panel(
                "Confidence in drafts",
                "Calibrated P(correct), how many drafts a second in each band. Mass that moves down is drift, or harder requests.",
                (Query(rate("smallfirst_confidence_bucket", "le"), "{{le}}"),),
                "percentunit",
                "heatmap",
                12,
            ),
            Panel(
                "Mean confidence",
                "By tier, of the drafts that a calibrated verifier spoke on.",
                (Query(ratio("smallfirst_confidence_sum", "smallfirst_confidence_count", "route, tier"), "{{route}}/{{tier}}"),),
                "percentunit",
                width=12,
                top=1,
            ),
        ),
    ),
    Row(
        "Thresholds",
        (
            Panel(
                "Threshold by group",
                "Drafts whose score is at most this are kept; higher is less sure. A group that is not here has no certified threshold: "
                "its drafts escalate.",
                (Query(f"max by (route, group) (smallfirst_threshold{ROUTE})", "{{route}}/{{group}}"),),
                "none",
                width=12,
                bottom=None,
            ),
            Panel(
                "Deferred for want of confidence",
                "Share of the attempts of a tier whose draft was not sure enough.",
                (
                    Query(
                        ratio(DEFERRALS, ATTEMPTS, "route, tier", 'reason="confidence"'),
                        "{{route}}/{{tier}}",
                    ),
                ),
                "percentunit",
                width=12,
                top=1,
            ),
        ),
    ),
    Row(
        "Drafts",
        (
            Panel(
                "What became of attempts",
                "Kept: the client got it. Deferred: another was tried. Failed: the engine gave no answer.",
                (Query(rate(ATTEMPTS, "tier, result"), "{{tier}} {{result}}"),),
                "reqps",
                stacked=True,
            ),
            Panel(
                "Share kept",
                "Attempts whose text the client got, by tier.",
                (
                    Query(
                        ratio(ATTEMPTS, ATTEMPTS, "route, tier", 'result="kept"'),
                        "{{route}}/{{tier}}",
                    ),
                ),
                "percentunit",
                top=1,
            ),
            Panel(
                "Attempts a request",
                "1 where the first draft always does.",
                (Query(ratio(ATTEMPTS, ENDED, "route"), "{{route}}"),),
                "none",
            ),
        ),
    ),
    Row(
        "Verifiers",
        (
            Panel(
                "Rulings",
                "`unable` defers like an objection: a verifier that should have ruled and could not.",
                (Query(rate("smallfirst_verdicts_total", "verifier, ruling"), "{{verifier}} {{ruling}}"),),
                "reqps",
                stacked=True,
            ),
            Panel(
                "Form kept",
                "Share of the checked drafts that satisfied their request's contract. Runbook: SmallfirstSchemaInvalid.",
                (Query(f"route_tier:smallfirst_schema_valid:ratio_rate5m{ROUTE}", "{{route}}/{{tier}}"),),
                "percentunit",
                top=1,
            ),
            Panel(
                "Calls that can be executed",
                "Share of the drafts with tool calls that name a known tool, with arguments that it takes.",
                (Query(f"route_tier:smallfirst_calls_executable:ratio_rate5m{ROUTE}", "{{route}}/{{tier}}"),),
                "percentunit",
                top=1,
            ),
        ),
    ),
    Row(
        "Deferrals",
        (
            Panel(
                "By tier and reason",
                "Which tier was left, and why.",
                (Query(rate(DEFERRALS, "tier, reason"), "{{tier}} {{reason}}"),),
                "reqps",
                stacked=True,
            ),
            Panel(
                "Deferrals a request",
                "Drafts not kept and tiers passed over, over the requests.",
                (Query(ratio(DEFERRALS, ENDED, "route"), "{{route}}"),),
                "none",
            ),
            Panel(
                "Repairs",
                "Further tries of a tier that was told what was wrong, by what became of them. Deferred ones cost more than they bring.",
                (Query(rate("smallfirst_repairs_total", "tier, result"), "{{tier}} {{result}}"),),
                "reqps",
                stacked=True,
            ),
        ),
    ),
    Row(
        "Live quality, where a store and audits or feedback are configured",
        (
            Panel(
                "Kept error bound",
                "The share of wrong answers among the kept is at most this, at the target's confidence; over the target until there "
                "are labels enough. Runbook: SmallfirstKeptError.",
                (
                    Query(f"max by (route) (smallfirst_kept_error_bound{ROUTE})", "{{route}}"),
                    Query(f"max by (route) (smallfirst_kept_error_target{ROUTE})", "{{route}}, target"),
                ),
                "percentunit",
                width=12,
            ),
            Panel(
                "Calibration error",
                "Expected calibration error of the live confidences: 0 where P(correct) is what it says.",
                (Query(f"max by (route) (smallfirst_calibration_error{ROUTE})", "{{route}}"),),
                "percentunit",
                width=12,
            ),
            Panel(
                "Claimed and found",
                "Reliability: mean confidence in drafts, and the share of the judged answers that was good: equal where calibrated.",
                (
                    Query(ratio("smallfirst_confidence_sum", "smallfirst_confidence_count", "route"), "{{route}}, claimed"),
                    Query(ratio("smallfirst_labels_total", "smallfirst_labels_total", "route", 'success="true"'), "{{route}}, found"),
                ),
                "percentunit",
                width=12,
                top=1,
            ),
            Panel(
                "Drift",
                "Population stability index of the confidences; above 0.25 is a shift. Runbook: SmallfirstDrift.",
                (Query(f"max by (route) (smallfirst_drift{ROUTE})", "{{route}}"),),
                "none",
                width=12,
            ),
            Panel(
                "Least confidence kept",
                "0 as fitted; raised where labels refuted the promise or scores drifted; over 1 everything escalates. "
                "Runbook: SmallfirstTightened.",
                (Query(f"max by (route) (smallfirst_confidence_floor{ROUTE})", "{{route}}"),),
                "none",
                width=12,
            ),
            Panel(
                "Labels and missed audits",
                "An hour: what became known of drafts by source, and audits that made no label by reason.",
                (
                    Query(f"3600 * {rate('smallfirst_labels_total', 'source, success')}", "{{source}} success={{success}}"),
                    Query(f"3600 * {rate('smallfirst_audits_missed_total', 'reason')} or vector(0)", "missed: {{reason}}"),
                ),
                "none",
                width=12,
            ),
        ),
    ),
)
