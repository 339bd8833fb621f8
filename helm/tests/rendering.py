"""What the tests render: the chart with many values, as objects."""

import copy
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import helm_python
import yaml

CHART = Path(__file__).parents[1]
Object = dict[str, Any]

TIER = {"context": 8192, "price": {"prompt": 0.1, "completion": 0.2}}
POSTGRES = {
    "kind": "postgresql",
    "postgresql": {
        "host": "db.example.internal",
        "passwordSecret": {"name": "database"},
        "to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}],
    },
}
EXISTING = {"kind": "existing", "url": "http://model.serving.svc/v1", "model": "m", **TIER}
HOSTED = {
    "kind": "existing",
    "url": "https://api.example.com/v1",
    "model": "m",
    "location": "outside",
    "apiKeyEnv": "REMOTE_API_KEY",
    "to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}],
    **TIER,
}
VLLM = {"kind": "vllm", "model": "org/model", **TIER}
KEYS = {
    "access": {"kind": "keys", "keysSecret": {"name": "keys"}},
    "redis": {"urlSecret": {"name": "redis"}, "to": [{"podSelector": {"matchLabels": {"app": "valkey"}}}]},
}
PROMETHEUS = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
APPS = [{"namespaceSelector": {"matchLabels": {"team": "apps"}}}]

SETS: dict[str, Mapping[str, Any]] = {
    "default": {},
    "names": {"nameOverride": "gate", "commonLabels": {"team": "ml"}, "podLabels": {"a": "b"}, "podAnnotations": {"c": "d"}},
    "full-name": {"fullnameOverride": "x" * 60},
    "registry": {
        "image": {"repository": "registry.example.internal/smallfirst", "digest": "sha256:" + "0" * 64},
        "imagePullSecrets": [{"name": "pull"}],
    },
    "placed": {
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "k", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "topologySpread": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
        "serviceAccount": {"create": False, "name": "own"},
    },
    "extra": {
        "workers": 4,
        "env": [{"name": "TZ", "value": "UTC"}],
        "secretEnv": {"REMOTE_API_KEY": {"name": "hosted", "key": "k"}},
        "volumes": [{"name": "more", "emptyDir": {}}],
        "volumeMounts": [{"name": "more", "mountPath": "/more"}],
        "tests": {"enabled": False},
    },
    "service": {"service": {"type": "LoadBalancer", "port": 8443, "annotations": {"a": "b"}}},
    "ingress": {
        "ingress": {"enabled": True, "hosts": ["a.example.com", "b.example.com"], "tls": [{"secretName": "t", "hosts": ["a.example.com"]}]}
    },
    "gateway-api": {
        "gatewayApi": {"enabled": True, "parentRefs": [{"name": "edge", "namespace": "infra"}], "hostnames": ["llm.example.com"]}
    },
    "sqlite": {"store": {"kind": "sqlite", "content": True, "days": None}, "route": {"audit": 0.05, "recalibrate": {"hours": 24}}},
    "sqlite-claim": {"store": {"kind": "sqlite", "sqlite": {"existingClaim": "mine"}}},
    "replicas": {"replicas": 3, "store": POSTGRES},
    "hpa-cpu": {"autoscaling": {"kind": "hpa"}, "store": POSTGRES},
    "hpa-inflight": {"autoscaling": {"kind": "hpa", "metric": "inflight"}, "store": POSTGRES},
    "keda-cpu": {"autoscaling": {"kind": "keda"}, "store": POSTGRES},
    "keda-inflight": {
        "autoscaling": {"kind": "keda", "metric": "inflight", "prometheusUrl": "http://prometheus.monitoring.svc:9090"},
        "store": POSTGRES,
    },
    "monitored": {
        "serviceMonitor": {"enabled": True, "labels": {"release": "p"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "p"}},
        "dashboards": {"enabled": True, "annotations": {"folder": "LLM"}},
        "tiers": {"small": VLLM},
        "networkPolicy": {"metricsFrom": PROMETHEUS},
    },
    "hosted": {"tiers": {"large": HOSTED}, "secretEnv": {"REMOTE_API_KEY": {"name": "hosted", "key": "api-key"}}},
    "resident": {
        "tiers": {"hosted": {"order": 3, **HOSTED}},
        "secretEnv": {"REMOTE_API_KEY": {"name": "hosted", "key": "api-key"}},
        "route": {"residency": "inside"},
    },
    "four-tiers": {
        "tiers": {
            "tiny": {"order": 0, "kind": "embedded", "model": "small", **TIER, "context": 1024},
            "small": VLLM,
            "large": {**VLLM, "vllm": {"replicas": 2, "gpus": 4, "cache": {"accessMode": "ReadWriteMany"}}},
            "hosted": {"order": 9, **HOSTED},
        },
        "secretEnv": {"REMOTE_API_KEY": {"name": "hosted", "key": "api-key"}},
        "vllm": {"lora": {"billing": "/models/billing"}, "tokenSecret": {"name": "hub"}, "args": ["--enforce-eager"]},
    },
    "adapter": {
        "tiers": {
            "small": {**VLLM, "adapter": "billing", "vllm": {"lora": {"billing": "/models/billing"}, "quantization": "fp8"}},
            "large": {**EXISTING, "to": [{"podSelector": {}}], "port": 8000},
        }
    },
    "one-tier": {"tiers": {"small": None}},
    "offline": {
        "tiers": {
            "small": {**VLLM, "model": "/models/small"},
            "large": {**VLLM, "model": "/models/large", "vllm": {"runtimeClassName": "nvidia", "nodeSelector": {"gpu": "h100"}}},
        },
        "vllm": {"offline": True, "cache": {"kind": "hostPath", "hostPath": "/srv/models"}},
    },
    "open-network": {"networkPolicy": {"enabled": False}, "tiers": {"large": EXISTING}},
    "closed-network": {
        "networkPolicy": {
            "from": APPS,
            "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.9/32"}}], "ports": [{"port": 4317, "protocol": "TCP"}]}],
        }
    },
    "by-the-hour": {
        "tiers": {
            "small": {**VLLM, "price": {"hour": 0.8, "machine": "a"}},
            "large": {**VLLM, "price": {"hour": 2.5, "prompt": None, "completion": None}},
        },
        "config": {"dashboard": True, "listen": {"max_concurrency": 64}},
    },
    "fitted": {
        "calibration": {"configMap": "fitted"},
        "route": {"verifiers": [{"kind": "contract"}, {"kind": "function"}], "mode": "active"},
    },
    "overlaid": {
        "config": {
            "aliases": {"gpt-4o": "auto"},
            "limits": {"tools": 64},
            "routes": {"plain": {"tiers": [{"engine": "large", "price": {"prompt": 0, "completion": 0}}]}},
        }
    },
    **{f"example-{path.stem}": yaml.safe_load(path.read_text()) for path in sorted((CHART / "examples").glob("*.yaml"))},
}
"""Value sets by name."""

KEYED: dict[str, Mapping[str, Any]] = {
    "keys": KEYS,
    "keys-workers": {"access": KEYS["access"], "workers": 2, "store": {"kind": "sqlite"}},
    "keys-replicas": {
        **KEYS,
        "replicas": 2,
        "store": POSTGRES,
        "serviceMonitor": {"enabled": True},
        "networkPolicy": {"metricsFrom": PROMETHEUS, "from": APPS},
    },
}
ALL = {**SETS, **KEYED}


@dataclass(frozen=True)
class Rendered:
    """One rendering."""

    objects: tuple[Object, ...]

    def all(self, kind: str) -> list[Object]:
        """Those of a kind."""
        return [found for found in self.objects if found["kind"] == kind]

    def one(self, kind: str, name: str = "sf-smallfirst") -> Object:
        """The one of that kind and name."""
        (found,) = [found for found in self.all(kind) if found["metadata"]["name"] == name]
        return found

    @property
    def gateway(self) -> Object:
        """The gateway's pod spec."""
        return self.deployment["spec"]["template"]["spec"]

    @property
    def deployment(self) -> Object:
        """The gateway's."""
        (found,) = [found for found in self.all("Deployment") if found["metadata"]["labels"]["app.kubernetes.io/component"] == "gateway"]
        return found

    @property
    def config(self) -> Object:
        """The gateway's configuration."""
        (found,) = [found["data"]["gateway.yaml"] for found in self.all("ConfigMap") if "gateway.yaml" in found.get("data", {})]
        return yaml.safe_load(found)


@functools.cache
def named(name: str) -> Rendered:
    """The value set of that name."""
    return render(ALL[name])


def render(values: Mapping[str, Any], name: str = "sf") -> Rendered:
    """The chart with these values; raises the library's error where it refuses them."""
    chart().validate_schema(copy.deepcopy(dict(values)))
    return Rendered(tuple(_objects(chart().render(copy.deepcopy(dict(values)), name=name, namespace="llm"))))


@functools.cache
def chart() -> helm_python.Chart:
    """The chart, read once."""
    return helm_python.Chart.load(CHART)


def _objects(files: Mapping[str, str]) -> Iterator[Object]:
    for path, text in files.items():
        if path.endswith(".yaml"):
            yield from (found for found in yaml.safe_load_all(text) if found)
