"""Who is turned away can be found in the log by address, and a flood of them writes little."""

import json
from pathlib import Path

from server.observers.refusals import A_SECOND, Refusals
from tests.server.access.keyrings import bearing, keys_file
from tests.server.harness import running


async def test_whoever_has_no_key_or_comes_from_elsewhere_is_logged_by_address_and_nothing_of_the_key_is(tmp_path: Path) -> None:
    file, _ = keys_file(tmp_path, ann={})
    async with running(access={"keys_file": file}) as made:
        found = await made.client.get("/v1/models", headers=bearing("sk-sf-guessed"))
        assert [line for line in made.logged if line["event"] == "refused"] == [
            {
                "event": "refused", "time": made.logged[-1]["time"], "request_id": found.headers["x-request-id"],
                "code": "invalid_api_key", "client": "127.0.0.1",
            }
        ]  # fmt: skip
        assert "guessed" not in "".join(made.lines)
    async with running() as made:
        await made.client.get("/v1/models", headers={"origin": "https://evil.example"})
        assert [(line["code"], line["client"]) for line in made.logged if line["event"] == "refused"] == [
            ("permission_denied", "127.0.0.1")
        ]


def test_a_flood_writes_a_bounded_number_of_lines_and_says_how_many_it_left_out() -> None:
    lines: list[str] = []
    now = [100.0]
    refusals = Refusals(lines.append, lambda: now[0], lambda: "id")
    for _ in range(3 * A_SECOND):
        refusals("invalid_api_key", "192.0.2.1")
    assert len(lines) == A_SECOND
    now[0] = 101.0
    refusals("invalid_api_key", "192.0.2.2")
    refusals("invalid_api_key", "192.0.2.2")
    assert [json.loads(line).get("left_out") for line in lines[-2:]] == [2 * A_SECOND, None]
