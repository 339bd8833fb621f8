"""The shape of the custom resources that the chart makes, after their definitions; a key that is not here is a typo."""

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]

ANY = object()
ROUTE_MATCH = {"path": {"type": str, "value": str}}
POD = {"metadata": {"labels": ANY}, "spec": ANY}
SCALING = {"horizontalPodAutoscalerConfig": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": int, "policies": [ANY]}}}}
RULE = {"record": str, "alert": str, "expr": str, "for": str, "labels": ANY, "annotations": ANY}

SHAPES: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "ServiceMonitor": (
        "monitoring.coreos.com/v1",
        {
            "selector": {"matchLabels": ANY},
            "endpoints": [{"port": str, "path": str, "interval": str, "relabelings": [{"targetLabel": str, "replacement": str}]}],
        },
        {"selector", "endpoints"},
    ),
    "PrometheusRule": ("monitoring.coreos.com/v1", {"groups": [{"name": str, "interval": str, "rules": [RULE]}]}, {"groups"}),
    "HTTPRoute": (
        "gateway.networking.k8s.io/v1",
        {
            "parentRefs": [{"group": str, "kind": str, "name": str, "namespace": str, "sectionName": str, "port": int}],
            "hostnames": [str],
            "rules": [{"matches": [ROUTE_MATCH], "timeouts": {"request": str}, "backendRefs": [{"name": str, "port": int}]}],
        },
        {"parentRefs", "rules"},
    ),
    "ScaledObject": (
        "keda.sh/v1alpha1",
        {
            "scaleTargetRef": {"apiVersion": str, "kind": str, "name": str},
            "minReplicaCount": int,
            "maxReplicaCount": int,
            "cooldownPeriod": int,
            "advanced": SCALING,
            "triggers": [
                {
                    "type": str,
                    "metricType": str,
                    "metadata": {"value": str, "serverAddress": str, "query": str, "threshold": str, "ignoreNullValues": str},
                }
            ],
        },
        {"scaleTargetRef", "triggers"},
    ),
    "LeaderWorkerSet": (
        "leaderworkerset.x-k8s.io/v1",
        {
            "replicas": int,
            "leaderWorkerTemplate": {"size": int, "restartPolicy": str, "leaderTemplate": POD, "workerTemplate": POD},
        },
        {"replicas", "leaderWorkerTemplate"},
    ),
}
"""By kind: the version of its API, its `spec`, and what must be in that."""


def problems(found: Object) -> list[str]:
    """What is not as the definition wants it."""
    version, spec, needed = SHAPES[found["kind"]]
    wrong = [] if found["apiVersion"] == version else [f"apiVersion {found['apiVersion']}"]
    return [*wrong, *(f"spec.{key} is missing" for key in sorted(needed - set(found["spec"]))), *_unlike(found["spec"], spec, "spec")]


def _unlike(found: Any, shape: Any, where: str) -> Iterator[str]:
    if shape is ANY:
        return
    if isinstance(shape, type):
        if not isinstance(found, shape) or isinstance(found, bool):
            yield f"{where}: {found!r} is no {shape.__name__}"
    elif isinstance(shape, list):
        if not isinstance(found, list) or not found:
            yield f"{where}: {found!r} is no list of something"
            return
        for index, item in enumerate(found):
            yield from _unlike(item, shape[0], f"{where}[{index}]")
    elif not isinstance(found, dict):
        yield f"{where}: {found!r} is no mapping"
    else:
        for key, value in found.items():
            if key in shape:
                yield from _unlike(value, shape[key], f"{where}.{key}")
            else:
                yield f"{where}.{key}: unknown"
