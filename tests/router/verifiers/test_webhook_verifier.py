"""The operator's own judge behind HTTP."""

import hashlib
import hmac
import json
from codecs import BOM_UTF8
from typing import Any

import pytest

from router.errors import ConfigError
from router.types import Ruling
from tests.router.verifiers.world import World, calls, draft, posting

URL = "http://judge.internal:9000/rule"
ASKED = draft(calls(name="Zebulon"), "a table please")


def webhook(services: World, **options: Any) -> Any:
    return services.verifier("webhook", **{"url": URL, **options})


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("accept", Ruling.ACCEPT),
        ("defer", Ruling.DEFER),
        ("not_applicable", Ruling.NOT_APPLICABLE),
        ("abstain", Ruling.UNABLE),
    ],
)
async def test_the_service_rules(word: str, expected: Ruling) -> None:
    verdict = await webhook(posting((200, {"ruling": word, "reason": "name Zebulon", "confidence": 0.4}))).judge(ASKED)
    assert verdict.ruling is expected
    assert expected is Ruling.UNABLE or (verdict.confidence, verdict.reason) == (0.4, "name …")


async def test_a_byte_order_mark_before_its_answer_is_passed_over() -> None:
    assert (await webhook(posting((200, BOM_UTF8 + b'{"ruling":"accept"}'))).judge(ASKED)).ruling is Ruling.ACCEPT


@pytest.mark.parametrize(
    "answer",
    [
        None,
        (500, {}),
        (404, {}),
        (302, {"ruling": "accept"}),
        (200, b"<html>"),
        (200, {"ruling": "yes"}),
        (200, {"ruling": "accept", "confidence": 7}),
        (200, {"ruling": "accept", "more": 1}),
        (200, ["accept"]),
        (200, b"\xff"),
    ],
)
async def test_a_service_that_fails_is_unable(answer: Any) -> None:
    assert (await webhook(posting(answer)).judge(ASKED)).ruling is Ruling.UNABLE
    assert (await webhook(posting(answer), when_unable="not_applicable").judge(ASKED)).ruling is Ruling.NOT_APPLICABLE


@pytest.mark.parametrize(("first", "tries"), [(None, 2), ((503, {}), 2), ((429, {}), 2), ((400, {}), 1)])
async def test_only_what_may_pass_is_tried_again_and_each_try_is_paid(first: Any, tries: int) -> None:
    services = posting(first, (200, {"ruling": "accept"}))
    verdict = await webhook(services, cost=0.001).judge(ASKED)
    assert len(services.post.seen) == tries
    assert verdict.cost == pytest.approx(0.001 * tries)
    assert verdict.ruling is (Ruling.ACCEPT if tries == 2 else Ruling.UNABLE)


async def test_the_body_is_signed_with_the_secret_of_the_environment() -> None:
    services = posting((200, {"ruling": "accept"}))
    await webhook(services, secret_env="HOOK_KEY", timeout=0.7).judge(ASKED)
    url, body, headers, timeout = services.post.seen[0]
    assert headers["x-smallfirst-signature"] == "sha256=" + hmac.new(b"key", body, hashlib.sha256).hexdigest()
    assert (url, timeout) == (URL, 0.7)
    told = json.loads(body)
    assert told["answer"]["tool_calls"][0]["arguments"] == {"name": "Zebulon"}
    assert told["request"]["text"] == "a table please"


async def test_a_request_that_must_stay_inside_is_not_posted_outside() -> None:
    services = posting((200, {"ruling": "accept"}))
    inside = draft(calls(), inside_only=True)
    assert (await webhook(services).judge(inside)).reason == "residency"
    assert services.post.seen == []
    assert (await webhook(services, location="inside").judge(inside)).ruling is Ruling.ACCEPT


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"url": "ftp://a/b"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "http://user:pass@host/"}, "url"),
        ({"url": "/rule"}, "url"),
        ({"url": "http://host:99999/"}, "url"),
        ({"url": "http://host/\nx"}, "url"),
        ({"secret_env": "NOBODY"}, "secret_env"),
        ({"retries": 99}, "retries"),
        ({"headers": {}}, "headers"),
    ],
)
def test_a_mistake_in_the_options_is_named(options: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        webhook(posting(None), **options)
    assert caught.value.param == f"routes.auto.verifiers.0.{key}"
