"""Metrics that have seen everything once: every name and every label that a gateway may show."""

from prometheus_client.parser import text_string_to_metric_families

from router.types import Aside, Attempt, Decision, Energy, Failure, GenerationRequest, Outcome, Price, Ruling, Skip, Usage, Verdict
from server.observers.metrics import Metrics
from server.observers.savings import Yardstick

REQUEST = GenerationRequest("r", "auto", ())
KEYED = GenerationRequest("r", "auto", (), owner="ann")


def busy() -> Metrics:
    """An escalation with a repair, a failure, a request that was passed on, a refusal."""
    metrics = Metrics({"auto": Yardstick("large", Price(1, 1))})
    metrics.observe(REQUEST, _outcome(_draft("try"), _draft("repair"), _kept("large"), skips=(Skip("tiny", "breaker_open"),), guard=0.001))
    metrics.observe(REQUEST, _outcome(_kept("small")))
    metrics.observe(REQUEST, _outcome(_failed(), code="engine_error"))
    metrics.refused("", "invalid_request")
    metrics.observe(KEYED, _outcome(_kept("small")))
    metrics.beside.key_budget("ann", "day", 0.5)
    metrics.beside.ledger_lost()
    metrics.overhead(0.002)
    metrics.beside.labelled("auto", "audit", True)
    metrics.beside.audit_missed("auto", "timeout")
    metrics.beside.audit_tokens("auto", "large", Usage(50, 10))
    metrics.beside.audit_energy("large", Energy(4.0, "nvml"))
    metrics.beside.idle_joules("nvml", 30.0)
    metrics.beside.idle_dollars("gpu", 0.1)
    metrics.beside.engine_up("llm", True)
    promises = metrics.promises
    for gauge in (
        promises.kept_error_bound,
        promises.kept_error_target,
        promises.confidence_floor,
        promises.calibration_error,
        promises.drift,
    ):
        gauge("auto", 0.02)
    promises.thresholds("auto", {"pooled": 0.1})
    metrics.inflight("auto", 1)
    return metrics


def families(exposition: str) -> dict[str, set[str]]:
    """The labels of every sample's name; raises ValueError where the text is not Prometheus' format."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def _outcome(*attempts: Attempt, skips: tuple[Skip, ...] = (), code: str = "ok", guard: float = 0.0) -> Outcome:
    answer = len(attempts) - 1 if code == "ok" else None
    return Outcome("r", "auto", Decision(("small", "large"), skips), attempts, answer, code, 0.4, 0.2, Aside(guard, Usage(9, 1)))


def _draft(kind: str) -> Attempt:
    verdicts = (
        Verdict("contract", Ruling.DEFER),
        Verdict("function", Ruling.DEFER),
        Verdict("confidence", Ruling.DEFER, confidence=0.4, cost=0.0001),
    )
    return Attempt("small", "repair" if kind == "repair" else "try", None, None, verdicts, "contract", 0.1, Usage(50, 10), 0.0002)


def _kept(tier: str) -> Attempt:
    verdicts = (
        Verdict("contract", Ruling.ACCEPT),
        Verdict("function", Ruling.ACCEPT),
        Verdict("confidence", Ruling.ACCEPT, confidence=0.9),
    )
    return Attempt(tier, "try", None, None, verdicts, None, 0.2, Usage(50, 10), 0.002, Energy(2.0, "nvml"))


def _failed() -> Attempt:
    return Attempt("large", "try", None, Failure("engine_error", "gone"), (), "engine_error", 0.1)
