"""From the configuration to traces that are sent; OpenTelemetry comes with the extra `otel` and is imported only where it is asked for."""

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from router.errors import ConfigError
from server.config import AdapterEngine, EmbeddedEngine, OpenAIEngine, Settings, TracesSettings, VLLMEngine
from server.tracing import request_id, traceparent

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from server.observers.traces import Model, Traces


def traces(settings: Settings) -> "Traces | None":
    """What makes and sends spans, `None` where nobody asked; raises ConfigError where the extra is not installed."""
    given = settings.traces
    if given is None:
        return None
    try:
        from server.observers.traces import Traces
    except ImportError as error:
        raise ConfigError("traces: they need the extra: pip install 'smallfirst[otel]'", param="traces") from error
    return Traces(_provider(given), _models(settings), time.time, traceparent, request_id)


def _provider(given: TracesSettings) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    made = TracerProvider(ParentBased(TraceIdRatioBased(given.share)), Resource.create({"service.name": given.service}))
    exporter = OTLPSpanExporter(str(given.endpoint), headers=_headers(given.headers_env), timeout=given.timeout)
    made.add_span_processor(BatchSpanProcessor(exporter))
    return made


def _headers(name: str | None) -> dict[str, str]:
    """`name=value` pairs, comma-separated, out of that environment variable, as OpenTelemetry's own has them."""
    if name is None:
        return {}
    pairs = [pair.partition("=") for pair in os.environ.get(name, "").split(",")]
    if not all(key.strip() and value.strip() for key, _, value in pairs):
        raise ConfigError(f"traces.headers_env: the environment variable {name} holds no name=value pairs", param="traces.headers_env")
    return {key.strip(): value.strip() for key, _, value in pairs}


def _models(settings: Settings) -> "Mapping[tuple[str, str], Model]":
    return {
        (name, tier.label): _model(settings, tier.engine, tier.label) for name, route in settings.routes.items() for tier in route.tiers
    }


def _model(settings: Settings, engine: str, tier: str) -> "Model":
    from server.observers.traces import Model

    match settings.engines[engine]:
        case OpenAIEngine(flavour=flavour, model=model, base_url=urls):
            return Model(flavour, model, urlsplit(str(urls[0])).hostname or "")
        case VLLMEngine(model=model):
            return Model("vllm", model, "127.0.0.1")
        case AdapterEngine(of=of, adapter=adapter):
            return replace(_model(settings, of, tier), name=adapter)
        case EmbeddedEngine(path=path):
            return Model("smallfirst", path)
        case _:
            return Model("smallfirst", tier)
