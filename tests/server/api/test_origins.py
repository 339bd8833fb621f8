"""What a page in somebody's browser may ask of a gateway on their machine."""

import pytest

from tests.server.access.keyrings import bearing, keys_file
from tests.server.harness import PATH, error, running

BODY = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
REFUSED = (403, "permission_error", "permission_denied", None)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://localhost:9", "null", "http://localhost.evil.example", "https://localhost"]
)
async def test_another_page_is_refused_before_any_work(origin: str) -> None:
    async with running() as world:
        answer = await world.client.post(PATH, json=BODY, headers={"origin": origin, "host": "localhost:8080"})
        assert error(answer) == REFUSED
        assert "access-control-allow-origin" not in answer.headers
        plain = await world.client.post(PATH, content=b"{}", headers={"origin": origin, "host": "localhost:8080"})
        assert error(plain) == REFUSED
        assert not world.small.calls
        assert await world.metric("requests_total", route="", tier="", code="permission_denied") == 2


@pytest.mark.parametrize("origin", ["http://localhost:8080", "app://obsidian.md", "vscode-webview://x", "tauri://localhost", None])
async def test_its_own_page_and_what_is_no_page_may_ask(origin: str | None) -> None:
    headers = {"host": "localhost:8080"} | ({} if origin is None else {"origin": origin})
    async with running() as world:
        assert (await world.client.post(PATH, json=BODY, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "", "[", "10.0.0.1"]
)
async def test_without_keys_no_foreign_name_leads_here(host: str) -> None:
    async with running() as world:
        assert error(await world.client.get("/v1/models", headers={"host": host})) == REFUSED
    async with running(access={"open": True}) as world:
        assert (await world.client.get("/v1/models", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080"])
async def test_this_machines_names_do(host: str) -> None:
    async with running() as world:
        assert (await world.client.get("/v1/models", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("keyed", [False, True])
async def test_pages_that_are_listed_may_ask_and_read(keyed: bool, tmp_path: object) -> None:
    page = "https://app.example"
    asked = {"origin": page, "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    changes = {"listen": {"origins": [page]}}
    headers = {"origin": page}
    if keyed:
        file, keys = keys_file(tmp_path, ann={})  # type: ignore[arg-type]
        changes |= {"access": {"keys_file": file}}  # type: ignore[dict-item]
        headers |= bearing(keys["ann"])
    async with running(**changes) as world:
        before = await world.client.options(PATH, headers=asked)
        assert (before.status_code, before.headers["access-control-allow-origin"]) == (200, page)
        answer = await world.client.post(PATH, json=BODY, headers=headers)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, page)
        shown = answer.headers["access-control-expose-headers"].split(", ")
        assert {"x-smallfirst-tier", "x-request-id", "retry-after", "x-should-retry"} <= set(shown)
        assert len(shown) == len(set(shown))
        other = await world.client.options(PATH, headers=asked | {"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


async def test_by_default_no_page_is_allowed() -> None:
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
    async with running(access={"open": True}) as world:
        answer = await world.client.options(PATH, headers=asked)
    assert not [name for name in answer.headers if name.startswith("access-control")]
