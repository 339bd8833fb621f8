"""What the chart promises beyond being valid: upgrades, networks, secrets, monitoring, refusals."""

import copy
from collections.abc import Mapping
from typing import Any

import helm_python
import pytest
import yaml
from rendering import ALL, APPS, CHART, EXISTING, HOSTED, KEYS, POSTGRES, PROMETHEUS, VLLM, Object, Rendered, named, render

ROOT = CHART.parent
GATEWAY = "sf-smallfirst"


def labels(template: Object) -> Object:
    return template["metadata"]["labels"]


def selects(selector: Mapping[str, str], found: Mapping[str, str]) -> bool:
    return selector.items() <= found.items()


def pods(rendered: Rendered) -> dict[str, Object]:
    """The labels of every kind of pod, by who makes it."""
    made = {found["metadata"]["name"]: labels(found["spec"]["template"]) for found in rendered.all("Deployment")}
    for found in rendered.all("LeaderWorkerSet"):
        for role in ("leader", "worker"):
            made[f"{found['metadata']['name']}/{role}"] = labels(found["spec"]["leaderWorkerTemplate"][f"{role}Template"])
    return made | {found["metadata"]["name"]: labels(found) for found in rendered.all("Pod")}


def env(rendered: Rendered) -> dict[str, Object]:
    return {found["name"]: found for found in rendered.gateway["containers"][0]["env"] or []}


@pytest.mark.parametrize("name", ALL)
def test_a_service_reaches_exactly_the_pods_that_answer(name: str) -> None:
    rendered = named(name)
    answering = {pod for pod in pods(rendered) if not pod.endswith(("/worker", "-test"))}
    reached = []
    for service in rendered.all("Service"):
        found = {pod for pod, marks in pods(rendered).items() if selects(service["spec"]["selector"], marks)}
        assert len(found) == 1, (service["metadata"]["name"], found)
        reached += found
    assert set(reached) == answering


@pytest.mark.parametrize("name", ALL)
def test_what_the_gateway_calls_inside_is_a_service_of_this_release(name: str) -> None:
    rendered = named(name)
    services = {found["metadata"]["name"] for found in rendered.all("Service")}
    for engine in rendered.config["engines"].values():
        if engine["kind"] == "openai" and "-vllm-" in str(engine["base_url"]):
            assert engine["base_url"].removeprefix("http://").partition(":")[0] in services


@pytest.mark.parametrize("name", ALL)
def test_an_upgrade_replaces_pods_one_by_one_and_gives_them_time(name: str) -> None:
    rendered = named(name)
    strategy, pod = rendered.deployment["spec"]["strategy"], rendered.gateway
    if ALL[name].get("store", {}).get("kind") == "sqlite":
        assert strategy == {"type": "Recreate"}
    else:
        assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    container, drain = pod["containers"][0], rendered.config["listen"]["drain"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    waited = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert waited > 0
    assert pod["terminationGracePeriodSeconds"] > waited + drain["delay"] + drain["timeout"]


@pytest.mark.parametrize("name", ALL)
def test_pods_run_without_privileges_or_a_token_of_the_cluster(name: str) -> None:
    rendered = named(name)
    pod = rendered.gateway
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    context = pod["containers"][0]["securityContext"]
    assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"], context["capabilities"]) == (
        True,
        False,
        {"drop": ["ALL"]},
    )
    mounted = {found["name"] for found in pod["containers"][0]["volumeMounts"]}
    assert mounted <= {found["name"] for found in pod["volumes"]}


@pytest.mark.parametrize("name", ALL)
def test_no_secret_is_made_and_none_is_in_the_configuration(name: str) -> None:
    rendered = named(name)
    assert rendered.all("Secret") == []
    for variable in ("PGPASSWORD", "REDIS_URL", "REMOTE_API_KEY"):
        if variable in env(rendered):
            assert set(env(rendered)[variable]["valueFrom"]) == {"secretKeyRef"}


def test_a_new_configuration_restarts_the_gateway_and_nothing_else_does() -> None:
    checksum = [
        render(values).deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for values in ({}, {"resources": {"limits": {"memory": "2Gi"}}}, {"maxConcurrency": 64})
    ]
    assert checksum[0] == checksum[1] != checksum[2]


@pytest.mark.parametrize("name", ALL)
def test_selectors_survive_upgrades(name: str) -> None:
    for found in render(ALL[name]).all("Deployment"):
        assert not {"app.kubernetes.io/version", "helm.sh/chart"} & set(found["spec"]["selector"]["matchLabels"])


def egress(rendered: Rendered, name: str = GATEWAY) -> list[Object]:
    return rendered.one("NetworkPolicy", name)["spec"]["egress"]


def test_by_default_the_gateway_may_leave_for_dns_alone() -> None:
    (rule,) = egress(render({}))
    assert {port["port"] for port in rule["ports"]} == {53}


def test_a_route_that_stays_inside_has_no_way_to_a_tier_outside() -> None:
    outside = HOSTED["to"]
    tiers = {"hosted": {"order": 3, **HOSTED}}
    free, resident = render({"tiers": tiers}), render({"tiers": tiers, "route": {"residency": "inside"}})
    assert outside in [rule["to"] for rule in egress(free)]
    assert outside not in [rule["to"] for rule in egress(resident)]
    assert resident.config["routes"]["auto"]["residency"] == "inside"


def test_every_rule_names_whom_it_lets_through() -> None:
    for values in ALL.values():
        for policy in render(values).all("NetworkPolicy"):
            assert all((rule.get("to") and rule.get("ports")) or rule["to"][0].get("podSelector") for rule in policy["spec"]["egress"])


def test_only_the_gateway_reaches_a_model_server() -> None:
    rendered = render({"tiers": {"small": VLLM}})
    (rule,) = rendered.one("NetworkPolicy", f"{GATEWAY}-vllm-small")["spec"]["ingress"]
    found = {pod for pod, marks in pods(rendered).items() if selects(rule["from"][0]["podSelector"]["matchLabels"], marks)}
    assert found == {GATEWAY}


@pytest.mark.parametrize("values", [{**KEYS}, {**KEYS, "networkPolicy": {"from": APPS}}, {"networkPolicy": {"from": APPS}}, {}])
def test_only_those_named_read_metrics_that_are_not_everyones(values: Object) -> None:
    for given in ([], PROMETHEUS):
        rendered = render({**values, "networkPolicy": {**values.get("networkPolicy", {}), "metricsFrom": given}})
        (port,) = {port["name"] for port in rendered.gateway["containers"][0]["ports"]} & {"metrics"} or {"http"}
        rules = [rule for rule in rendered.one("NetworkPolicy")["spec"]["ingress"] if rule["ports"][0]["port"] == port]
        everyone = port == "http" and not values.get("networkPolicy")
        assert any("from" not in rule for rule in rules) is everyone
        assert any(rule.get("from") == given for rule in rules) is bool(given)


def test_the_charts_own_test_is_let_through_where_few_may_ask() -> None:
    rendered = render({"networkPolicy": {"from": APPS}})
    rule = rendered.one("NetworkPolicy")["spec"]["ingress"][0]
    marks = labels(rendered.one("Pod", f"{GATEWAY}-test"))
    assert [peer for peer in rule["from"] if selects(peer.get("podSelector", {}).get("matchLabels", {"no": "pod"}), marks)]
    assert rule["from"][0] == APPS[0]


def test_an_offline_server_downloads_nothing() -> None:
    for offline in (False, True):
        rendered = render({"tiers": {"small": VLLM}, "vllm": {"offline": offline}})
        ports = {port["port"] for rule in egress(rendered, f"{GATEWAY}-vllm-small") for port in rule["ports"]}
        assert (443 in ports) is not offline
        container = rendered.one("Deployment", f"{GATEWAY}-vllm-small")["spec"]["template"]["spec"]["containers"][0]
        assert any(found["name"] == "HF_HUB_OFFLINE" for found in container["env"]) is offline


def test_a_model_server_gets_its_cards_memory_and_patience() -> None:
    values = {
        "gpus": 4,
        "shm": "16Gi",
        "startupSeconds": 7200,
        "quantization": "fp8",
        "speculative": {"method": "ngram"},
        "args": ["--seed", "1"],
    }
    pod = render({"tiers": {"large": {**VLLM, "vllm": values}}}).one("Deployment", f"{GATEWAY}-vllm-large")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 4
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 7200
    assert {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "16Gi"}} in pod["volumes"]
    line = " ".join(container["args"])
    assert line.startswith("org/model --served-model-name large --port 8000 --max-model-len 8192")
    for part in ("--tensor-parallel-size 4", "--quantization fp8", '--speculative-config {"method":"ngram"}', "--seed 1"):
        assert part in line


def test_one_tiers_settings_leave_the_others_alone() -> None:
    rendered = render({"tiers": {"small": VLLM, "large": {**VLLM, "vllm": {"gpus": 8}}}})
    cards = [
        rendered.one("Deployment", f"{GATEWAY}-vllm-{name}")["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
        for name in ("small", "large")
    ]
    assert [found["nvidia.com/gpu"] for found in cards] == [1, 8]


def test_several_nodes_are_one_server_behind_its_leader() -> None:
    rendered = render(ALL["example-multinode"])
    group = rendered.one("LeaderWorkerSet", f"{GATEWAY}-vllm-large")["spec"]["leaderWorkerTemplate"]
    leader, worker = (group[f"{role}Template"]["spec"]["containers"][0] for role in ("leader", "worker"))
    line = " ".join(leader["args"])
    for part in ("--tensor-parallel-size 8", "--pipeline-parallel-size 2", "--distributed-executor-backend ray"):
        assert part in line
    assert "leader" in leader["command"][2]
    assert "worker" in worker["command"][2]
    assert "readinessProbe" in leader
    assert "readinessProbe" not in worker
    policy = rendered.one("NetworkPolicy", f"{GATEWAY}-vllm-large")["spec"]
    assert [rule for rule in policy["ingress"] if "ports" not in rule]
    assert [rule for rule in policy["egress"] if "ports" not in rule]


def test_tiers_come_in_their_order_whatever_their_names() -> None:
    tiers = {"zero": {"order": 0, **EXISTING, "to": [{"podSelector": {}}]}, "small": {"order": 10}, "large": {"order": 2}}
    assert [tier["name"] for tier in render({"tiers": tiers}).config["routes"]["auto"]["tiers"]] == ["zero", "large", "small"]


def test_a_price_by_the_hour_stands_in_place_of_the_default_token_prices() -> None:
    tiers = {"small": {"price": {"hour": 0.8, "machine": "a"}}, "large": VLLM}
    hourly, priced = (tier["price"] for tier in render({"tiers": tiers}).config["routes"]["auto"]["tiers"])
    assert hourly == {"hour": 0.8, "machine": "a"}
    assert priced == VLLM["price"]


def test_prometheus_gets_the_rules_of_this_repository_and_the_job_that_they_name() -> None:
    rendered = render(ALL["monitored"])
    given = [
        group for name in ("rules", "alerts") for group in yaml.safe_load((ROOT / f"deploy/prometheus/{name}.yml").read_text())["groups"]
    ]
    assert rendered.one("PrometheusRule")["spec"]["groups"] == given
    jobs = {found["spec"]["endpoints"][0]["relabelings"][0]["replacement"] for found in rendered.all("ServiceMonitor")}
    assert jobs == {"smallfirst", "vllm"}


@pytest.mark.parametrize("name", ["monitored", "keys-replicas", "example-production"])
def test_a_monitor_finds_a_service_and_a_port_of_it(name: str) -> None:
    rendered = named(name)
    for monitor in rendered.all("ServiceMonitor"):
        found = [service for service in rendered.all("Service") if selects(monitor["spec"]["selector"]["matchLabels"], labels(service))]
        assert found
        assert all(monitor["spec"]["endpoints"][0]["port"] in {port["name"] for port in service["spec"]["ports"]} for service in found)


def test_dashboards_arrive_as_they_are() -> None:
    found = {
        key: text for given in render(ALL["monitored"]).all("ConfigMap") for key, text in given["data"].items() if key.endswith(".json")
    }
    assert found == {path.name: path.read_text() for path in (ROOT / "deploy" / "grafana").glob("*.json")}


def test_autoscaling_owns_the_number_of_replicas() -> None:
    assert "replicas" not in render(ALL["hpa-cpu"]).deployment["spec"]
    assert render(ALL["replicas"]).deployment["spec"]["replicas"] == 3


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"replicas": 2}, "/store/kind"),
        ({"replicas": 2, "store": {"kind": "sqlite"}}, "/store/kind"),
        ({"autoscaling": {"kind": "hpa"}}, "/store/kind"),
        ({"autoscaling": {"kind": "keda"}}, "/store/kind"),
        ({"replicas": 2, "store": POSTGRES, "access": KEYS["access"]}, "/redis/urlSecret/name"),
        ({"workers": 2, "access": KEYS["access"]}, "/store/kind"),
        ({"autoscaling": {"kind": "keda", "metric": "inflight"}, "store": POSTGRES}, "/autoscaling/prometheusUrl"),
        ({"store": {"kind": "postgresql"}}, "/store/postgresql"),
        ({"access": {"kind": "keys"}}, "/access/keysSecret/name"),
        ({"ingress": {"enabled": True}}, "/ingress/hosts"),
        ({"gatewayApi": {"enabled": True}}, "/gatewayApi/parentRefs"),
        ({"replica": 2}, "replica"),
        ({"fullnameOverride": "Gate_1"}, "/fullnameOverride"),
        ({"nameOverride": "-gate"}, "/nameOverride"),
        ({"image": {"tags": "x"}}, "tags"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"tiers": {"Large": VLLM}}, "Large"),
        ({"tiers": {"large": {"kind": "existing"}}}, "url"),
        ({"tiers": {"large": {**VLLM, "location": "outside"}}}, "location"),
        ({"route": {"tiers": []}}, "/route"),
        ({"drain": {"timeout": 0}}, "/drain/timeout"),
        ({"workers": "four"}, "/workers"),
        ({"config": {"listen": {"port": 9000}}}, "/config/listen"),
        ({"config": {"access": {"open": True}}}, "/config/access"),
        ({"tiers": {"large": {"price": {"hour": -1}}}}, "hour"),
        ({"tiers": {"large": {"price": {"machine": "a"}}}}, "hour"),
    ],
)
def test_the_schema_refuses(values: Object, told: str) -> None:
    with pytest.raises(helm_python.HelmError, match=told), helm_python.Chart.load(CHART) as chart:
        chart.validate_schema(copy.deepcopy(values))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"tiers": {"large": EXISTING}}, r"tiers\.large\.to"),
        ({"store": {**POSTGRES, "postgresql": {**POSTGRES["postgresql"], "to": []}}}, r"store\.postgresql\.to"),
        ({"access": KEYS["access"], "redis": {"urlSecret": {"name": "r"}}}, r"redis\.to"),
        ({"autoscaling": {"kind": "hpa", "min": 5, "max": 2}, "store": POSTGRES}, r"autoscaling\.max"),
        ({**KEYS, "serviceMonitor": {"enabled": True}}, r"networkPolicy\.metricsFrom"),
        ({"tiers": {"small": VLLM}, "serviceMonitor": {"enabled": True}}, r"networkPolicy\.metricsFrom"),
        ({"tiers": {"large": {**VLLM, "kind": "multinode"}}}, r"tiers\.large\.vllm\.cache"),
        ({"tiers": {"large": {**VLLM, "vllm": {"replicas": 2}}}}, r"tiers\.large\.vllm\.cache"),
        ({"tiers": {"large": {**VLLM, "vllm": {"cache": {"kind": "hostPath"}}}}}, r"tiers\.large\.vllm\.cache\.hostPath"),
    ],
)
def test_rendering_refuses_what_could_not_work_and_names_the_value(values: dict[str, Any], told: str) -> None:
    with pytest.raises(helm_python.HelmError, match=told):
        render(values)
