"""Nobody gets further than their key lets them."""

import asyncio
from pathlib import Path

import pytest

from router.errors import ConfigError
from server.access.keyfile import load
from tests.server.access.keyrings import bearing, keys_file
from tests.server.harness import PATH, WRONG, alive, error, running, world

BODY = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
CHAT = {
    "tiers": [
        {"name": name, "engine": engine, "price": {"prompt": 1, "completion": 1}} for name, engine in (("small", "slm"), ("large", "llm"))
    ]
}
TWO = {"auto": CHAT, "other": CHAT}


@pytest.mark.parametrize(
    "path",
    ["/v1/models", "/v1/chat/completions", "/openapi.json", "/metrics", "/dashboard/data", "/nowhere", "/v1/outcomes", "//healthz", "/"],
)
@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer nonsense"}, {"authorization": "Basic x"}, {"authorization": ""}])
async def test_without_a_valid_key_every_path_is_401(path: str, header: dict[str, str], tmp_path: Path) -> None:
    file, _ = keys_file(tmp_path, ann={})
    async with running(access={"keys_file": file}, dashboard=True) as made:
        for method in ("GET", "POST", "OPTIONS"):
            found = await made.client.request(method, path, headers=header)
            assert error(found) == (401, "authentication_error", "invalid_api_key", None)
            assert found.headers["x-request-id"]
        assert await made.metric("requests_total", route="", tier="", code="invalid_api_key") == 3


async def test_balancers_need_no_key(tmp_path: Path) -> None:
    file, _ = keys_file(tmp_path)
    async with running(access={"keys_file": file}) as made:
        assert [(await made.client.get(path)).status_code for path in ("/healthz", "/readyz")] == [200, 200]


async def test_a_key_asks_its_routes_and_is_counted(tmp_path: Path) -> None:
    file, keys = keys_file(tmp_path, ann={"routes": ["auto"]}, ben={})
    async with running(access={"keys_file": file}, routes=TWO) as made:
        assert (await made.client.post(PATH, json=BODY, headers=bearing(keys["ann"]))).status_code == 200
        refused = await made.client.post(PATH, json=BODY | {"model": "other"}, headers=bearing(keys["ann"]))
        assert error(refused) == (403, "permission_error", "permission_denied", "model")
        assert (await made.client.post(PATH, json=BODY | {"model": "other"}, headers=bearing(keys["ben"]))).status_code == 200
        assert await made.metric("key_requests_total", key="ann", code="ok") == 1
        assert await made.metric("key_requests_total", key="ann", code="permission_denied") == 1
        assert await made.metric("key_tokens_total", key="ann") > 0
        assert await made.metric("key_cost_usd_total", key="ann") > 0
        listed = (await made.client.get("/v1/models", headers=bearing(keys["ann"]))).json()["data"]
        assert {one["id"] for one in listed} == {"auto", "auto/small", "auto/large", "gpt-4o", "best"}
        assert (await made.client.get("/v1/models/other", headers=bearing(keys["ann"]))).status_code == 404


async def test_a_key_sees_no_route_whose_tiers_are_not_its_own(tmp_path: Path) -> None:
    file, keys = keys_file(tmp_path, ann={"tiers": ["large"]})
    elsewhere = {**TWO, "other": {"tiers": [{"engine": "slm", "price": {"prompt": 1, "completion": 1}}]}}
    async with running(access={"keys_file": file}, routes=elsewhere) as made:
        listed = (await made.client.get("/v1/models", headers=bearing(keys["ann"]))).json()["data"]
        assert {one["id"] for one in listed} == {"auto", "auto/large", "gpt-4o", "best"}
        refused = await made.client.post(PATH, json=BODY | {"model": "other"}, headers=bearing(keys["ann"]))
        assert refused.status_code == 403


async def test_a_key_says_what_became_of_its_own_answers_alone(tmp_path: Path) -> None:
    file, keys = keys_file(tmp_path, ann={}, ben={}, root={"admin": True})
    outcomes = {"url": f"sqlite:///{tmp_path}/outcomes.db"}
    async with running(access={"keys_file": file}, outcomes=outcomes) as made:
        asked = await made.client.post(PATH, json=BODY, headers=bearing(keys["ann"]))
        said = {"response_id": asked.json()["id"], "success": False}
        found = {name: (await made.client.post("/v1/outcomes", json=said, headers=bearing(keys[name]))).status_code for name in keys}
    assert found == {"ann": 200, "ben": 404, "root": 200}


async def test_a_key_is_answered_by_its_tiers_alone(tmp_path: Path) -> None:
    file, keys = keys_file(tmp_path, small={"tiers": ["small"]}, large={"tiers": ["large"]})
    async with running(access={"keys_file": file}) as made:
        for name in ("small", "large"):
            found = await made.client.post(PATH, json=BODY, headers=bearing(keys[name]))
            assert found.headers["x-smallfirst-tier"] == name
        refused = await made.client.post(PATH, json=BODY | {"model": "auto/large"}, headers=bearing(keys["small"]))
        assert error(refused) == (403, "permission_error", "permission_denied", "model")
    assert (len(made.small.calls), len(made.large.calls)) == (1, 1)


async def test_a_key_that_must_stay_inside_meets_no_tier_outside(tmp_path: Path) -> None:
    file, keys = keys_file(tmp_path, ann={"residency": "inside"})
    tiers = [CHAT["tiers"][0], CHAT["tiers"][1] | {"location": "outside"}]
    async with running([WRONG], access={"keys_file": file}, route={"tiers": tiers}) as made:
        assert (await made.client.post(PATH, json=BODY, headers=bearing(keys["ann"]))).headers["x-smallfirst-tier"] == "small"
        refused = await made.client.post(PATH, json=BODY | {"model": "auto/large"}, headers=bearing(keys["ann"]))
        assert error(refused) == (403, "permission_error", "residency_forbidden", None)
    assert not made.large.calls


async def test_metrics_and_the_dashboard_are_for_administrators(tmp_path: Path) -> None:
    file, keys = keys_file(tmp_path, ops={"admin": True, "routes": []}, ann={})
    async with running(access={"keys_file": file}, dashboard=True) as made:
        for path in ("/metrics", "/dashboard", "/dashboard/data", "/dashboard/app.js"):
            assert (await made.client.get(path, headers=bearing(keys["ops"]))).status_code == 200
            refused = await made.client.get(path, headers=bearing(keys["ann"]))
            assert error(refused) == (403, "permission_error", "permission_denied", None)
        assert (await made.client.post(PATH, json=BODY, headers=bearing(keys["ops"]))).status_code == 403


async def test_only_an_administrator_is_told_what_a_rejected_draft_said(tmp_path: Path) -> None:
    file, keys = keys_file(tmp_path, ops={"admin": True}, ann={})
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "required": ["a"]}}}
    async with running(['{"secret":"draft"}'], ['{"a":1}'], access={"keys_file": file}) as made:
        for name, told in (("ann", False), ("ops", True)):
            for stream in (False, True):
                headers = bearing(keys[name]) | {"x-smallfirst-explain": "1"}
                found = await made.client.post(PATH, json=BODY | {"response_format": form, "stream": stream}, headers=headers)
                assert found.status_code == 200
                assert ("draft" in found.text.replace("drafts", "")) is told, found.text


async def test_a_revoked_key_is_refused_while_the_server_runs(tmp_path: Path) -> None:
    file, keys = keys_file(tmp_path, ann={})
    made = world(access={"keys_file": file})
    async with made.client, alive(made):
        assert (await made.client.get("/v1/models", headers=bearing(keys["ann"]))).status_code == 200
        keys_file(tmp_path, ben={})
        door = made.gateway.parts.keys
        assert door is not None
        held = door()
        await _until_replaced(door, held)
        assert (await made.client.get("/v1/models", headers=bearing(keys["ann"]))).status_code == 401
    assert {"event": "access", "message": "the file of keys was read again"} in made.logged


async def _until_replaced(door: object, held: object) -> None:
    assert callable(door)
    async with asyncio.timeout(20):
        while door() is held:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(("scopes", "field"), [({"routes": ["nowhere"]}, "keys.ann.routes"), ({"tiers": ["huge"]}, "keys.ann.tiers")])
def test_a_key_for_what_is_not_there_is_refused_at_start(scopes: dict[str, list[str]], field: str, tmp_path: Path) -> None:
    file, _ = keys_file(tmp_path, ann=scopes)
    assert load(Path(file))
    with pytest.raises(ConfigError) as caught:
        world(access={"keys_file": file})
    assert caught.value.param == field


async def test_no_key_is_logged_told_or_counted(tmp_path: Path) -> None:
    file, keys = keys_file(tmp_path, ann={}, ops={"admin": True})
    async with running(access={"keys_file": file}) as made:
        answers = [
            await made.client.post(PATH, json=BODY, headers=bearing(key)) for key in (keys["ann"], keys["ann"] + "x", "s3cret-guess")
        ]
        metrics = await made.client.get("/metrics", headers=bearing(keys["ops"]))
    everything = "".join([*made.lines, metrics.text, *(answer.text + str(answer.headers) for answer in answers)])
    assert "s3cret-guess" not in everything
    assert not any(key in everything for key in keys.values())
