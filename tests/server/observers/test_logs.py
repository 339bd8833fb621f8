"""One line a request, and no word of the client or the model in it."""

from tests.server.harness import CALL, TOOLS, running


async def test_a_request_is_one_json_line_without_content() -> None:
    async with running(['{"message":"the model said so"}'], [CALL]) as world:
        await world.ask("the client asked so", tools=TOOLS, tool_choice="required", metadata={"a": "private"})
        [line] = world.lines
        [logged] = world.logged
    assert not [word for word in ("model said", "client asked", "private", "minutes") if word in line]
    assert logged["event"] == "request"
    assert (logged["tier"], logged["attempts"], logged["deferrals"]) == ("large", ["small", "large"], ["contract"])
    assert (logged["contract"], logged["code"]) == ("tools", "ok")
    assert logged["cost_usd"] > 0
