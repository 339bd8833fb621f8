"""Sequences of generated requests that go on from each other's answers: told, continued, labelled, deleted, asked for again."""

import tempfile
from pathlib import Path

import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import Case, checks

from server.build import gateway
from server.engines.scripted import ScriptedEngine
from tests.server.api.test_fuzzed import CHECKS, reply
from tests.server.harness import settings as configured

SEEN: set[tuple[str, int]] = set()


def test_no_sequence_of_requests_meets_a_bug_or_an_undocumented_answer() -> None:
    with tempfile.TemporaryDirectory() as folder:
        app = gateway(
            configured(access={"open": True}, outcomes={"url": f"sqlite:///{folder}/outcomes.db"}),
            Path(folder),
            engines={name: ScriptedEngine(name, reply) for name in ("slm", "llm")},
            write=lambda line: None,
        ).app
        machine = schemathesis.openapi.from_asgi("/openapi.json", app).include(path_regex="^/v1/(responses|outcomes)").as_state_machine()

        class Sequences(machine):  # type: ignore[misc, valid-type]  # made at run time
            def validate_response(self, response: schemathesis.Response, case: Case, **_given: object) -> None:
                SEEN.add((case.operation.definition.raw["operationId"], response.status_code))
                assert response.status_code != 500, response.text
                case.validate_response(response, checks=[*CHECKS, checks.use_after_free])

        bounds = settings(
            max_examples=30, stateful_step_count=6, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        run_state_machine_as_test(Sequences, settings=bounds)
    assert {("responses", 200), ("retrieve", 200), ("delete", 200), ("outcomes", 200)} <= SEEN
