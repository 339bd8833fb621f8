"""One span a request, one an attempt, verdicts as events; nothing that was said, and nothing at all where nobody asked."""

import gzip
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from router.errors import ConfigError
from router.types import (
    Attempt,
    Choice,
    Decision,
    Energy,
    Failure,
    Generation,
    GenerationRequest,
    Outcome,
    Ruling,
    Sampling,
    Usage,
    Verdict,
)
from server.build import gateway
from server.observers.traces import Model, Traces
from tests.server.harness import CALL, TOOLS, alive, running, settings

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ANSWER = Generation((Choice("SECRET answer", "stop"),), Usage(7, 3))
DRAFT = Attempt(
    "small",
    "try",
    ANSWER,
    verdicts=(Verdict("contract", Ruling.ACCEPT), Verdict("confidence", Ruling.DEFER, "SECRET reason", 0.25)),
    deferral="confidence",
    seconds=0.2,
    usage=Usage(7, 3),
    cost=0.5,
    energy=Energy(2.5, "nvml"),
    began=0.1,
)
KEPT = Attempt("large", "try", ANSWER, seconds=0.5, usage=Usage(7, 3), cost=5.0, began=0.4)
LOST = Attempt("large", "try", None, Failure("timeout", "SECRET detail"), deferral="timeout", seconds=0.5, began=0.4)
REQUEST = GenerationRequest("chatcmpl-1", "auto", (), sampling=Sampling(temperature=0.5, max_tokens=9, n=2))


def observed(*attempts: Attempt, code: str = "ok", parent: str = "") -> tuple[ReadableSpan, ...]:
    """The spans of one outcome that ended at second 1,000, the request's last."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traces = Traces(provider, {("auto", "small"): Model("vllm", "qwen", "gpu-1")}, lambda: 1000.0, lambda: parent, lambda: "req-1")
    answer = len(attempts) - 1 if code == "ok" else None
    traces.observe(REQUEST, Outcome("chatcmpl-1", "auto", Decision(("small", "large")), attempts, answer, code, 1.0))
    traces.close()
    return exporter.get_finished_spans()


def test_attempts_are_spans_under_their_request_with_the_conventions_names() -> None:
    draft, kept, request = observed(DRAFT, KEPT)
    assert [span.name for span in (request, draft, kept)] == ["chat auto", "chat qwen", "chat large"]
    assert request.context is not None
    assert all(span.parent is not None and span.parent.span_id == request.context.span_id for span in (draft, kept))
    assert dict(draft.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "qwen",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.stream": False,
        "gen_ai.output.type": "text",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.response.finish_reasons": ("stop",),
        "server.address": "gpu-1",
        "smallfirst.tier": "small",
        "smallfirst.attempt.kind": "try",
        "smallfirst.attempt.kept": False,
        "smallfirst.deferral": "confidence",
        "smallfirst.cancelled": False,
        "smallfirst.cost_usd": 0.5,
        "smallfirst.energy.joules": 2.5,
        "smallfirst.energy.method": "nvml",
    }
    told = dict(request.attributes or {})
    assert (told["gen_ai.response.model"], told["gen_ai.response.id"]) == ("auto/large", "chatcmpl-1")
    assert (told["gen_ai.usage.input_tokens"], told["smallfirst.cost_usd"]) == (14, 5.5)


def test_spans_stand_where_their_attempts_were() -> None:
    draft, kept, request = observed(DRAFT, KEPT)
    times = [(span.start_time, span.end_time) for span in (request, draft, kept)]
    seconds = [tuple(round((at or 0) / 1e9, 6) for at in pair) for pair in times]
    assert seconds == [(999.0, 1000.0), (999.1, 999.3), (999.4, 999.9)]


def test_verdicts_are_events_of_their_attempt() -> None:
    draft, *_ = observed(DRAFT, KEPT)
    assert [(event.name, dict(event.attributes or {})) for event in draft.events] == [
        ("gen_ai.evaluation.result", {"gen_ai.evaluation.name": "contract", "gen_ai.evaluation.score.label": "accept"}),
        (
            "gen_ai.evaluation.result",
            {"gen_ai.evaluation.name": "confidence", "gen_ai.evaluation.score.label": "defer", "gen_ai.evaluation.score.value": 0.25},
        ),
    ]


def test_a_failure_is_an_error_with_its_code() -> None:
    draft, lost, request = observed(DRAFT, LOST, code="cascade_exhausted")
    assert [(span.status.status_code, (span.attributes or {}).get("error.type")) for span in (draft, lost, request)] == [
        (StatusCode.UNSET, None),
        (StatusCode.ERROR, "timeout"),
        (StatusCode.ERROR, "cascade_exhausted"),
    ]


def test_nothing_that_was_said_stands_in_a_span() -> None:
    assert not [span.name for span in observed(DRAFT, LOST, code="cascade_exhausted") if "SECRET" in span.to_json()]


def test_the_clients_own_trace_goes_on() -> None:
    *_, request = observed(DRAFT, KEPT, parent=TRACEPARENT)
    assert request.context is not None
    assert f"{request.context.trace_id:032x}" == TRACEPARENT.split("-")[1]


@pytest.mark.parametrize("parent", ["", "nonsense", "00-0-0-01"])
def test_a_header_that_makes_no_sense_begins_a_trace_of_its_own(parent: str) -> None:
    *_, request = observed(KEPT, parent=parent)
    assert request.parent is None


class Collector(http.server.BaseHTTPRequestHandler):
    """An OTLP collector that keeps what it gets."""

    got: tuple[list[ExportTraceServiceRequest], list[dict[str, str]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        plain = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
        self.got[0].append(ExportTraceServiceRequest.FromString(plain))
        self.got[1].append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


@pytest.fixture
def collector() -> Iterator[tuple[str, type[Collector]]]:
    kept = type("Kept", (Collector,), {"got": ([], [])})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kept)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", kept
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_collector_gets_the_spans_of_a_live_gateway(
    collector: tuple[str, type[Collector]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, kept = collector
    monkeypatch.setenv("COLLECTOR_HEADERS", "authorization=Bearer t0ken")
    given = {"endpoint": address, "service": "edge", "headers_env": "COLLECTOR_HEADERS"}
    async with running(['{"message":"no"}'], [CALL], traces=given) as world, alive(world):
        await world.ask("SECRET", tools=TOOLS, tool_choice="required", headers={"traceparent": TRACEPARENT})
    [export], [headers] = kept.got
    [resource] = export.resource_spans
    spans = [span for scope in resource.scope_spans for span in scope.spans]
    assert {span.name for span in spans} == {"chat auto", "chat small", "chat large"}
    assert {span.trace_id.hex() for span in spans} == {TRACEPARENT.split("-")[1]}
    assert ("service.name", "edge") in {(item.key, item.value.string_value) for item in resource.resource.attributes}
    assert headers["authorization"] == "Bearer t0ken"
    assert b"SECRET" not in export.SerializeToString()


def test_headers_that_are_no_pairs_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLECTOR_HEADERS", "t0ken")
    with pytest.raises(ConfigError, match=r"traces\.headers_env: .* COLLECTOR_HEADERS") as caught:
        gateway(settings(traces={"endpoint": "http://127.0.0.1:9", "headers_env": "COLLECTOR_HEADERS"}), Path("/nowhere"))
    assert "t0ken" not in str(caught.value)


def told_by(program: str) -> str:
    """What a new process prints that builds a gateway."""
    before = "import sys; from pathlib import Path; from server.build import gateway; from tests.server.harness import settings\n"
    run = [sys.executable, "-c", before + program]
    return subprocess.run(run, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]).stdout.strip()


def test_without_the_extra_the_configuration_says_what_is_missing() -> None:
    program = (
        "sys.modules['opentelemetry.sdk'] = None\n"
        "try: gateway(settings(traces={'endpoint': 'http://127.0.0.1:9'}), Path('/nowhere'))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    assert told_by(program) == "ConfigError traces: they need the extra: pip install 'smallfirst[otel]'"


def test_where_nobody_asks_for_traces_nothing_of_them_is_imported() -> None:
    program = "gateway(settings(), Path('/nowhere')); print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])\n"
    assert told_by(program) == "[]"
