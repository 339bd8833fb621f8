"""One YAML, read once: what it may say, and that every mistake is told by the full name of its key."""

from pathlib import Path

import pytest
import yaml

from router.errors import ConfigError
from server.config import Settings, load, parse

DESIGNED = """
listen: {host: 127.0.0.1, port: 8080, max_concurrency: 256}
access: {open: true}
default_route: auto
aliases: {gpt-4o: auto, best: auto/llm}
functions: server.assistant:registry
limits: {body_bytes: 100000, messages: 10, tools: 5, choices: 2, schema_depth: 20}
engines:
  slm: {kind: openai, base_url: "http://vllm-slm:8000/v1", model: Qwen/Qwen3-1.7B, api_key_env: SLM_KEY}
  llm: {kind: openai, base_url: "http://vllm-llm:8000/v1", model: Qwen/Qwen3-32B}
  own: {kind: embedded, path: small, threads: 1, queue: 4, tools_prompt: names}
routes:
  auto:
    mode: active
    commit: verified
    tiers:
      - {engine: slm, price: {prompt: 0.02, completion: 0.04}}
      - {engine: llm, price: {prompt: 0.60, completion: 1.80}}
    verifiers:
      - {kind: contract}
      - {kind: function}
      - {kind: confidence, score: margin, calibration: calibration/auto.json}
    target: {max_error: 0.05, confidence: 0.95}
    repair: 1
    when_all_abstain: defer
    when_exhausted: best
    audit: 0.01
    budget: {max_cost: 0.02, deadline: 30}
outcomes: {url: "sqlite:///state/outcomes.db", content: false}
"""
MINIMAL = """
engines: {slm: {kind: scripted, replies: [x]}}
routes: {auto: {tiers: [{engine: slm, price: {prompt: 1, completion: 1}}]}}
"""


def test_the_designed_configuration_is_read_whole() -> None:
    settings = parse(DESIGNED)
    route = settings.routes["auto"]
    assert [tier.label for tier in route.tiers] == ["slm", "llm"]
    assert [verifier.kind for verifier in route.verifiers] == ["contract", "function", "confidence"]
    assert route.verifiers[2].options == {"kind": "confidence", "score": "margin", "calibration": "calibration/auto.json"}
    assert (route.budget.max_cost, route.budget.deadline, route.audit) == (0.02, 30, 0.01)
    assert settings.limits.messages == 10


def test_defaults_are_the_designs() -> None:
    route = parse(MINIMAL).routes["auto"]
    assert (route.repair, route.when_all_abstain, route.when_exhausted, route.mode, route.commit) == (
        1,
        "defer",
        "best",
        "active",
        "verified",
    )


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ("port: 8080", "prt: 8080", "listen.prt"),
        ("port: 8080", "port: 99999", "listen.port"),
        ("max_concurrency: 256", "max_concurrency: 0", "listen.max_concurrency"),
        ("default_route: auto", "default_route: other", "default_route"),
        ("best: auto/llm", "best: auto/huge", "aliases.best"),
        ("gpt-4o: auto", "gpt-4o: other", "aliases.gpt-4o"),
        ("messages: 10", "mesages: 10", "limits.mesages"),
        ("schema_depth: 20", "schema_depth: 1000", "limits.schema_depth"),
        ("functions: server.assistant:registry", "functions: server.assistant", "functions"),
        ("kind: openai, base", "kind: opnai, base", "engines.slm.kind"),
        ("model: Qwen/Qwen3-1.7B", "model: Qwen/Qwen3-1.7B, modle: x", "engines.slm.modle"),
        ('base_url: "http://vllm-slm:8000/v1"', "base_url: vllm-slm", "engines.slm.base_url"),
        ("api_key_env: SLM_KEY", "api_key: secret", "engines.slm.api_key"),
        ("path: small, ", "", "engines.own.path"),
        ("threads: 1", "threads: 0", "engines.own.threads"),
        ("mode: active", "mode: passive", "routes.auto.mode"),
        ("engine: slm,", "engine: sml,", "routes.auto.tiers.0.engine"),
        ("price: {prompt: 0.02, completion: 0.04}", "price: {prompt: 0.02}", "routes.auto.tiers.0.price.completion"),
        ("prompt: 0.02", "prompt: -1", "routes.auto.tiers.0.price.prompt"),
        ("engine: llm,", "engine: llm, name: slm,", "routes.auto.tiers.1.name"),
        ("engine: llm,", "engine: llm, name: a/b,", "routes.auto.tiers.1.name"),
        ("{kind: contract}", "{knd: contract}", "routes.auto.verifiers.0.kind"),
        ("max_error: 0.05", "max_eror: 0.05", "routes.auto.target.max_eror"),
        ("audit: 0.01", "audit: 5", "routes.auto.audit"),
        ("deadline: 30", "deadline: .nan", "routes.auto.budget.deadline"),
        ("when_exhausted: best", "when_exhausted: worst", "routes.auto.when_exhausted"),
        ("outcomes: {url", "outcome: {url", "outcome"),
        ("  own: {", "  low: {kind: adapter, of: slm, adapter: a, rank: 8}\n  own: {", "engines.low.rank"),
        ("  own: {", "  low: {kind: adapter, adapter: a}\n  own: {", "engines.low.of"),
        ("gpt-4o: auto", "auto: auto/llm", "aliases.auto"),
        ("max_concurrency: 256", "internal: {port: 8080}", "listen.internal.port"),
        ("    target:", "    guards: [{kind: prompt, patterns: [a], allow: [slm, slmm]}]\n    target:", "routes.auto.guards.0.allow"),
        ("price: {prompt: 0.02, completion: 0.04}", "price: cheap", "routes.auto.tiers.0.price"),
    ],
)
def test_every_mistake_names_its_key_in_full(before: str, after: str, key: str) -> None:
    assert before in DESIGNED
    with pytest.raises(ConfigError) as caught:
        parse(DESIGNED.replace(before, after, 1))
    assert caught.value.param == key
    assert caught.value.message.startswith(f"{key}: ")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("text", ["", "5", "[1]", "a: [", "a: 1\na: 2", "? [1, 2]\n: 3", "&a [*a]"])
def test_what_is_no_mapping_with_unique_keys_is_one_line(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert "\n" not in caught.value.message


def test_a_duplicate_key_deep_inside_is_refused_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"'repair' stands twice.*line"):
        parse(DESIGNED.replace("    repair: 1", "    repair: 1\n    repair: 2"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_a_local_address_needs_no_keys(host: str) -> None:
    assert parse(MINIMAL + f"listen: {{host: '{host}'}}\n").listen.host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gateway.example"])  # noqa: S104  # the point of the test
def test_a_wider_address_needs_keys_or_open_access(host: str) -> None:
    wide = MINIMAL + f"listen: {{host: '{host}'}}\n"
    with pytest.raises(ConfigError) as caught:
        parse(wide)
    assert caught.value.param == "listen.host"
    assert parse(wide + "access: {open: true}\n").listen.host == host
    assert parse(wide + "access: {keys_file: keys.yaml}\n").listen.host == host
    with pytest.raises(ConfigError, match=r"access\.open"):
        parse(wide + "access: {open: true, keys_file: keys.yaml}\n")


def test_settings_are_frozen() -> None:
    with pytest.raises(Exception, match="frozen"):
        parse(MINIMAL).listen.port = 1  # type: ignore[misc]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "settings.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"settings\.yaml"):
        load(path)


def test_every_configuration_that_is_shipped_is_valid() -> None:
    shipped = sorted((Path(__file__).parents[2] / "deploy/config").glob("*.yaml"))
    assert shipped
    for path in shipped:
        assert isinstance(load(path), Settings)
        assert yaml.safe_load(path.read_text())
