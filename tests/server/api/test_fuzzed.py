"""The server's own OpenAPI document, taken at its word: generated requests, good and bad, never meet a bug or an undocumented answer."""

from pathlib import Path

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, checks

from router.types import EngineCall
from server.build import gateway
from server.engines.scripted import Reply, ScriptedEngine
from tests.server.harness import CALL
from tests.server.harness import settings as configured

EXAMPLES = 15
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]


def reply(call: EngineCall) -> Reply:
    """Something that keeps the simpler forms."""
    texts = {"tools": CALL, "json_object": "{}", "json_schema": "{}", "choice": next(iter(call.contract.choices), "")}
    return Reply(texts.get(call.contract.kind, "some words"), choices=("more words",) * (call.sampling.n - 1))


APP = gateway(
    configured(access={"open": True}),
    Path("/nowhere"),
    engines={name: ScriptedEngine(name, reply) for name in ("slm", "llm")},
    write=lambda line: None,
).app
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", APP)


@SCHEMA.parametrize()
@settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_no_request_meets_a_bug_or_an_undocumented_answer(case: Case) -> None:
    response = case.call()
    assert response.status_code != 500, response.text
    case.validate_response(response, checks=CHECKS)
