"""OpenTelemetry spans of outcomes: one a request, one an attempt under it, verdicts as events; never what was said.

Names follow the semantic conventions for generative AI (`gen_ai.*`, status: development); what those do not name is `smallfirst.*`.
The spans are made when the outcome is there, with the times that it holds, so that a request under way pays nothing for them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from router.types import Attempt, GenerationRequest, Outcome, Verdict

NANO = 1e9
Attributes = dict[str, str | bool | int | float | list[str]]


@dataclass(frozen=True, slots=True)
class Model:
    """What runs a tier: `provider` as the conventions name it, the model's own name, the server's address where there is one."""

    provider: str
    name: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Traces:
    """Observes outcomes; `models` are by (route, tier), `wall` is in seconds since the epoch, `parent` the client's `traceparent` or ""."""

    provider: TracerProvider
    models: Mapping[tuple[str, str], Model]
    wall: Callable[[], float]
    parent: Callable[[], str]
    request_id: Callable[[], str]

    def observe(self, request: GenerationRequest, outcome: Outcome) -> None:
        """Make the spans of one outcome; they are sent by a thread of the provider."""
        tracer = self.provider.get_tracer("smallfirst")
        ended = self.wall()
        started = ended - outcome.seconds
        above = TraceContextTextMapPropagator().extract({"traceparent": self.parent()})
        told = _request(request, outcome) | {"smallfirst.http.request_id": self.request_id()}
        span = tracer.start_span(f"chat {outcome.route}", above, SpanKind.SERVER, told, start_time=_nano(started))
        if span.is_recording():
            for index, attempt in enumerate(outcome.attempts):
                self._attempt(tracer, span, started, (request, outcome, attempt, index == outcome.answer))
            if outcome.code not in ("ok", "cancelled"):
                _fail(span, outcome.code)
        span.end(_nano(ended))

    def close(self) -> None:
        """Send what is left."""
        self.provider.shutdown()

    def _attempt(self, tracer: Tracer, above: Span, started: float, about: tuple[GenerationRequest, Outcome, Attempt, bool]) -> None:
        request, outcome, attempt, kept = about
        model = self.models.get((outcome.route, attempt.tier), Model("smallfirst", attempt.tier))
        begun = started + attempt.began
        told = _common(model.provider, model.name) | _asked(request) | _got(attempt) | {"smallfirst.attempt.kept": kept}
        if model.address:
            told["server.address"] = model.address
        context = set_span_in_context(above)
        span = tracer.start_span(f"chat {model.name}", context, SpanKind.CLIENT, told, start_time=_nano(begun))
        for verdict in attempt.verdicts:
            span.add_event("gen_ai.evaluation.result", _verdict(verdict), _nano(begun + attempt.seconds))
        if attempt.failure is not None:
            _fail(span, attempt.failure.code)
        span.end(_nano(begun + attempt.seconds))


def _nano(seconds: float) -> int:
    return int(seconds * NANO)


def _fail(span: Span, code: str) -> None:
    span.set_attribute("error.type", code)
    span.set_status(Status(StatusCode.ERROR))


def _common(provider: str, model: str) -> Attributes:
    return {"gen_ai.operation.name": "chat", "gen_ai.provider.name": provider, "gen_ai.request.model": model}


def _request(request: GenerationRequest, outcome: Outcome) -> Attributes:
    kept = outcome.kept
    told = _common("smallfirst", outcome.route) | _asked(request)
    told |= {
        "gen_ai.response.id": outcome.request_id,
        "gen_ai.usage.input_tokens": outcome.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": outcome.usage.completion_tokens,
        "smallfirst.code": outcome.code,
        "smallfirst.contract": request.contract.kind,
        "smallfirst.deferrals": list(outcome.deferrals),
        "smallfirst.cost_usd": outcome.cost,
    }
    if kept is not None:
        told["gen_ai.response.model"] = f"{outcome.route}/{kept.tier}"
        told |= {} if kept.confidence is None else {"smallfirst.confidence": kept.confidence}
    if outcome.first_token_seconds is not None:
        told["gen_ai.response.time_to_first_chunk"] = outcome.first_token_seconds
    return told


def _asked(request: GenerationRequest) -> Attributes:
    sampling = request.sampling
    given = {
        "gen_ai.request.temperature": sampling.temperature,
        "gen_ai.request.top_p": sampling.top_p,
        "gen_ai.request.max_tokens": sampling.max_tokens,
        "gen_ai.request.seed": sampling.seed,
        "gen_ai.request.choice.count": sampling.n if sampling.n > 1 else None,
        "gen_ai.request.stream": request.stream,
        "gen_ai.output.type": _form(request),
    }
    return {name: value for name, value in given.items() if value is not None}


def _form(request: GenerationRequest) -> Literal["json", "text"]:
    return "json" if request.contract.kind in ("json_object", "json_schema", "tools") else "text"


def _got(attempt: Attempt) -> Attributes:
    told: Attributes = {
        "gen_ai.usage.input_tokens": attempt.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": attempt.usage.completion_tokens,
        "smallfirst.tier": attempt.tier,
        "smallfirst.attempt.kind": attempt.kind,
        "smallfirst.cost_usd": attempt.cost,
        "smallfirst.cancelled": attempt.cancelled,
    }
    if attempt.generation is not None:
        told["gen_ai.response.finish_reasons"] = [cast(str, choice.finish_reason) for choice in attempt.generation.choices]
    if attempt.deferral is not None:
        told["smallfirst.deferral"] = attempt.deferral
    if attempt.energy is not None:
        told |= {"smallfirst.energy.joules": attempt.energy.joules, "smallfirst.energy.method": attempt.energy.method}
    return told


def _verdict(verdict: Verdict) -> Attributes:
    """A verdict's reason may quote the draft, so it is left out."""
    told: Attributes = {"gen_ai.evaluation.name": verdict.verifier, "gen_ai.evaluation.score.label": verdict.ruling.value}
    return told if verdict.confidence is None else told | {"gen_ai.evaluation.score.value": verdict.confidence}
