"""The compose file, the configurations that it mounts and what Prometheus scrapes fit together."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from server.config import load

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
GATEWAYS = sorted(name for name in SERVICES if name.startswith("gateway"))
STAYING = sorted(name for name, service in SERVICES.items() if service.get("profiles") != ["tools"])


def test_without_a_profile_there_are_the_gateway_prometheus_and_grafana() -> None:
    assert {name for name, service in SERVICES.items() if "profiles" not in service} == {"gateway", "prometheus", "grafana"}


@pytest.mark.parametrize("name", STAYING)
def test_a_service_comes_back_by_itself_has_bounded_logs_and_a_pinned_image(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"]["max-size"]
    variable, _, image = service["image"].removeprefix("${").removesuffix("}").partition(":-")
    assert variable.endswith("_IMAGE")
    assert image.rpartition(":")[2] not in ("", "latest")


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_gateway_writes_nowhere_and_has_time_to_finish(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert int(service["stop_grace_period"].removesuffix("s")) > 30


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_gateway_gets_a_configuration_of_this_folder_and_can_be_reached(name: str) -> None:
    command = SERVICES[name]["command"]
    path = DEPLOY / "config" / Path(command[command.index("--config") + 1]).name
    host = command[command.index("--host") + 1] if "--host" in command else load(path).listen.host
    assert host == "0.0.0.0"  # noqa: S104  # inside the container


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_gateways_outcomes_are_on_a_volume_of_its_own(name: str) -> None:
    service = SERVICES[name]
    path = DEPLOY / "config" / Path(service["command"][service["command"].index("--config") + 1]).name
    outcomes = load(path).outcomes
    assert outcomes is not None
    (volume,) = [volume.partition(":")[0] for volume in service["volumes"] if volume.endswith(":/var/lib/smallfirst")]
    assert outcomes.url.startswith("sqlite:////var/lib/smallfirst/")
    assert volume in COMPOSE["volumes"]
    assert [other for other, found in SERVICES.items() if f"{volume}:/var/lib/smallfirst" in found.get("volumes", ())] == [name]


@pytest.mark.parametrize("name", [name for name in SERVICES if "ports" in SERVICES[name]])
def test_ports_are_published_on_this_machine_alone(name: str) -> None:
    variable = "KEYED_BIND" if name == "gateway-keyed" else "BIND"
    assert all(port.startswith(f"${{{variable}:-127.0.0.1}}:") for port in SERVICES[name]["ports"])


def test_a_gateway_whose_address_can_be_widened_alone_asks_for_keys() -> None:
    configs = {name: load(DEPLOY / "config" / Path(SERVICES[name]["command"][2]).name) for name in GATEWAYS}
    assert [name for name, settings in configs.items() if not settings.access.open] == ["gateway-keyed"]
    assert configs["gateway-keyed"].access.keys_file is not None


def test_the_gateway_that_asks_for_keys_can_read_them_and_only_their_command_writes_them() -> None:
    keys_file = load(DEPLOY / "config" / "keyed.yaml").access.keys_file
    assert keys_file is not None
    folder = str(Path(keys_file).parent)
    volumes = {name: [volume for volume in service.get("volumes", ()) if folder in volume] for name, service in SERVICES.items()}
    assert {name: found for name, found in volumes.items() if found} == {
        "gateway-keyed": [f"${{KEYS:-keys}}:{folder}:ro"],
        "keys": [f"${{KEYS:-keys}}:{folder}"],
    }
    assert keys_file in SERVICES["keys"]["entrypoint"][2]
    assert folder in (DEPLOY.parent / "Dockerfile").read_text()  # or the volume belongs to root


def test_what_keys_used_is_counted_where_nobody_else_reaches_it() -> None:
    keyed, valkey = SERVICES["gateway-keyed"], SERVICES["valkey"]
    variable = load(DEPLOY / "config" / "keyed.yaml").access.redis_env
    assert variable is not None
    assert keyed["environment"][variable].startswith("redis://valkey:")
    assert valkey["networks"] == ["counts"]
    assert "ports" not in valkey
    assert COMPOSE["networks"]["counts"]["internal"] is True
    assert [name for name, service in SERVICES.items() if "counts" in service.get("networks", ())] == ["gateway-keyed", "valkey"]


def test_weights_that_are_downloaded_stay_on_a_volume() -> None:
    for name in ("vllm-small", "vllm-large"):
        service = SERVICES[name]
        assert f"weights:{service['environment']['HF_HOME']}" in service["volumes"]


def test_secrets_come_from_files_that_variables_name() -> None:
    assert all(secret["file"].startswith("${") for secret in COMPOSE["secrets"].values())


def test_prometheus_scrapes_services_that_there_are() -> None:
    jobs = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    static = {target.partition(":")[0] for job in jobs for group in job.get("static_configs", []) for target in group["targets"]}
    found = {name for job in jobs for group in job["dns_sd_configs"] for name in group["names"]}
    assert static | found == set(SERVICES) - {"prometheus", "grafana", "valkey", "keys"}


@pytest.mark.parametrize("name", [name for name in GATEWAYS if name != "gateway"])
def test_prometheus_asks_a_gateway_where_it_shows_its_metrics(name: str) -> None:
    jobs = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    (port,) = [group["port"] for job in jobs for group in job["dns_sd_configs"] if name in group["names"]]
    listen = load(DEPLOY / "config" / Path(SERVICES[name]["command"][2]).name).listen
    assert port == (listen.internal or listen).port
