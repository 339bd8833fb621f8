"""What of a configuration becomes a command line and an address, and what is refused by name."""

from typing import Any

import pytest

from router.errors import ConfigError
from server.config import VLLMEngine, checked
from server.engines.vllm.keeper import without_secrets


def made(**more: Any) -> VLLMEngine:
    return VLLMEngine(**{"kind": "vllm", "model": "org/small", "port": 8001} | more)


def test_arguments_are_spelt_as_the_command_line_wants_them() -> None:
    given = {"enable_lora": True, "async-scheduling": False, "lora-modules": ["a=/a", "b=/b"], "--compilation-config": {"level": 0}}
    words = made(arguments=given).command("slm", "vllm")
    assert words[9:] == ["--enable-lora", "--no-async-scheduling", "--lora-modules", "a=/a", "b=/b", "--compilation-config", '{"level":0}']


def test_the_engine_reaches_it_on_this_machine_and_takes_its_context_from_the_arguments() -> None:
    reached = made(arguments={"max-model-len": 2048}, retries=5).reached("slm", keyed=True)
    assert (reached.base_url, reached.model, reached.context, reached.retries) == (("http://127.0.0.1:8001/v1",), "slm", 2048, 5)
    assert (reached.flavour, reached.api_key_env) == ("vllm", "VLLM_API_KEY")
    assert made(context=512, arguments={"max-model-len": 2048}).reached("slm", keyed=False).context == 512


@pytest.mark.parametrize(
    ("arguments", "stage"),
    [({}, "after"), ({"logprobs_mode": "raw_logprobs"}, "after"), ({"logprobs-mode": "processed_logprobs"}, "processed")],
)
def test_scores_know_what_the_servers_log_probabilities_are_taken_of(arguments: dict[str, str], stage: str) -> None:
    assert made(arguments=arguments).reached("slm", keyed=False).logprobs == stage


def test_adapters_are_loaded_by_name() -> None:
    words = made(adapters={"sql": "org/sql-lora", "law": "loras/law"}).command("slm", "vllm")
    assert words[9:] == ["--enable-lora", "--lora-modules", "sql=org/sql-lora", "law=loras/law"]


@pytest.mark.parametrize(
    ("base", "adapter", "said"),
    [
        ({"kind": "vllm", "model": "m", "port": 8001, "adapters": {"sql": "a"}}, {"of": "slm", "adapter": "law"}, "engines.law.adapter"),
        ({"kind": "scripted", "replies": ["x"]}, {"of": "slm", "adapter": "law"}, "engines.law.of"),
        ({"kind": "openai", "model": "m", "base_url": "http://h/v1"}, {"of": "llm", "adapter": "law"}, "engines.law.of"),
    ],
)
def test_an_adapter_of_nothing_is_refused_by_its_key(base: dict[str, object], adapter: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked({"engines": {"slm": base, "law": {"kind": "adapter", **adapter}}, "routes": {"auto": {"tiers": [TIER]}}})
    assert caught.value.message.startswith(said)


def test_values_of_secret_variables_are_not_told() -> None:
    environment = {"HF_TOKEN": "hf_123456", "DB_PASSWORD": "hunter22", "HOME": "/home/me", "API_KEY": ""}
    assert without_secrets("hf_123456 hunter22 /home/me", environment) == "*** *** /home/me"


TIER = {"engine": "slm", "price": {"prompt": 1, "completion": 1}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arguments": {"api-key": "x"}}, "engines.slm.arguments: Value error, api-key is set by the gateway"),
        ({"arguments": {"served_model_name": "x"}}, "served-model-name is set by the gateway"),
        ({"arguments": {"logprobs-mode": "raw_logits"}}, "raw_logits gives no log-probabilities"),
        ({"environment": {"HF_TOKEN": "x"}}, "HF_TOKEN is no setting"),
        ({"port": 8080}, "engines.slm.port: 8080 is the port of the gateway already"),
        ({"port": 80}, "engines.slm"),
        ({"context": 4096, "arguments": {"max-model-len": 2048}}, "are more than max-model-len"),
        ({"base_url": "http://elsewhere/v1"}, "base_url: unknown key"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(change: dict[str, object], said: str) -> None:
    engine = {"kind": "vllm", "model": "m", "port": 8001}
    with pytest.raises(ConfigError) as caught:
        checked({"engines": {"slm": engine | change}, "routes": {"auto": {"tiers": [TIER]}}})
    assert said in caught.value.message


def test_two_servers_need_two_ports() -> None:
    engine = {"kind": "vllm", "model": "m", "port": 8001}
    with pytest.raises(ConfigError, match=r"engines\.llm\.port: 8001 is the port of slm already"):
        checked({"engines": {"slm": engine, "llm": engine}, "routes": {"auto": {"tiers": [TIER]}}})
