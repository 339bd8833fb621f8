"""What stands beside the answers: the list of models, health, metrics, the server's own description."""

from tests.server.harness import error, running


async def test_models_are_routes_aliases_and_tiers() -> None:
    async with running() as world:
        listed = (await world.client.get("/v1/models")).json()
        one = (await world.client.get("/v1/models/auto/large")).json()
        missing = await world.client.get("/v1/models/gpt-99")
    assert [model["id"] for model in listed["data"]] == ["auto", "gpt-4o", "best", "auto/small", "auto/large"]
    assert one == {"id": "auto/large", "object": "model", "created": 0, "owned_by": "smallfirst"}
    assert error(missing) == (404, "invalid_request_error", "model_not_found", "model")


async def test_auto_is_the_default_route_whatever_its_name() -> None:
    tiers = [{"engine": "slm", "price": {"prompt": 1, "completion": 1}}]
    route = {"tiers": tiers, "when_all_abstain": "accept"}
    async with running(routes={"main": route}, default_route="main", aliases={}) as world:
        response = await world.ask()
        listed = (await world.client.get("/v1/models")).json()["data"]
        pinned = await world.ask(model="auto/slm")
    assert response.headers["x-smallfirst-route"] == "main"
    assert pinned.headers["x-smallfirst-tier"] == "slm"
    assert [model["id"] for model in listed] == ["auto", "main", "main/slm"]


async def test_an_exact_name_wins_over_the_reading_as_route_and_tier() -> None:
    async with running(aliases={"auto/small": "auto/large"}) as world:
        assert (await world.ask(model="auto/small")).headers["x-smallfirst-tier"] == "large"


async def test_ready_means_that_every_route_has_a_healthy_engine() -> None:
    async with running() as world:
        both = await world.client.get("/readyz")
        world.small.up = False
        one = await world.client.get("/readyz")
        world.large.up = False
        none = await world.client.get("/readyz")
        alive = await world.client.get("/healthz")
    assert [response.status_code for response in (both, one, none, alive)] == [200, 200, 503, 200]
    assert one.json() == {"status": "ready", "routes": {"auto": True}, "engines": {"slm": False, "llm": True}}


async def test_metrics_are_prometheus_text() -> None:
    async with running() as world:
        await world.ask()
        response = await world.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert 'smallfirst_requests_total{code="ok",route="auto",tier="small"} 1.0' in response.text


async def test_the_openapi_document_names_every_status_and_the_bodies() -> None:
    async with running() as world:
        document = (await world.client.get("/openapi.json")).json()
    chat = document["paths"]["/v1/chat/completions"]["post"]
    assert set(chat["responses"]) >= {"200", "400", "401", "403", "404", "405", "413", "415", "429", "500", "502", "503", "504"}
    assert "422" not in str(document["paths"])
    assert chat["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ChatRequest"}
    answer = chat["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert document["components"]["schemas"][answer]["title"] == "ChatCompletion"
    assert {"ChatRequest", "CompletionRequest", "ErrorBody", "UserMessage"} <= set(document["components"]["schemas"])
    assert set(document["paths"]) >= {"/v1/completions", "/v1/models", "/healthz", "/readyz", "/metrics"}


async def test_every_reference_of_the_openapi_document_resolves() -> None:
    async with running() as world:
        response = await world.client.get("/openapi.json")
    known = set(response.json()["components"]["schemas"])
    for piece in response.text.split('"#/components/schemas/')[1:]:
        assert piece.partition('"')[0] in known


async def test_health_can_be_asked_for_without_a_body() -> None:
    async with running() as world:
        found = [await world.client.head(path) for path in ("/healthz", "/readyz")]
    assert [response.status_code for response in found] == [200, 200]
