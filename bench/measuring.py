"""What an external judge says of answers: the measures that the benches print."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from server.assistant import registry


@dataclass(frozen=True, slots=True)
class Row:
    """One answered request; `cost` in dollars, `seconds` at the client."""

    right: bool
    valid: bool
    executable: bool | None
    tier: str
    cost: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Measures:
    """Rates in 0..1, dollars, seconds; `kept_error` is the share of wrong answers among those kept on the small tier."""

    accuracy: float
    schema_validity: float
    executable_rate: float | None
    cost: float
    cost_per_success: float | None
    p50: float
    p95: float
    share_small: float
    kept_error: float | None

    def json(self) -> dict[str, object]:
        """As printed."""
        return asdict(self)


def measures(rows: Sequence[Row]) -> Measures:
    """Of all rows together; what no row can tell is `None`."""
    right, cost = sum(row.right for row in rows), sum(row.cost for row in rows)
    calls = [row.executable for row in rows if row.executable is not None]
    kept = [row.right for row in rows if row.tier == "small"]
    cuts = statistics.quantiles((row.seconds for row in rows), n=20)
    return Measures(
        accuracy=right / len(rows),
        schema_validity=sum(row.valid for row in rows) / len(rows),
        executable_rate=sum(calls) / len(calls) if calls else None,
        cost=cost,
        cost_per_success=cost / right if right else None,
        p50=cuts[9],
        p95=cuts[18],
        share_small=len(kept) / len(rows),
        kept_error=1 - sum(kept) / len(kept) if kept else None,
    )


def canonical(message: dict[str, object]) -> str:
    """An OpenAI assistant message in the form of the generator's answers."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list) or not calls:
        return json.dumps({"message": message.get("content")})
    return json.dumps({"tool_calls": [_call(call["function"]) for call in calls]})


def valid(message: dict[str, object], offered: Sequence[str]) -> bool:
    """Every call names an offered function and its arguments have the declared types."""
    calls = json.loads(canonical(message)).get("tool_calls", [])
    return all(call["name"] in offered and not registry.functions[call["name"]].validate(call["arguments"]) for call in calls)


def executable(message: dict[str, object], offered: Sequence[str]) -> bool | None:
    """Valid, and the semantic checks and the dry run pass as well; `None` for an answer without a call."""
    calls = json.loads(canonical(message)).get("tool_calls", [])
    if not calls:
        return None
    return valid(message, offered) and all(not registry.validate(call["name"], call["arguments"]) for call in calls)


def _call(function: dict[str, str]) -> dict[str, object]:
    try:
        return {"name": function["name"], "arguments": json.loads(function["arguments"])}
    except ValueError:
        return {"name": function["name"], "arguments": function["arguments"]}
