"""Install, upgrade, rollback and removal through Helm's own release logic, against an API server that keeps objects.

KUBE_API names another one; nothing is scheduled in ours.
"""

import json
import os
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import helm_python
import pytest
from cluster import plural, running
from rendering import ALL, CHART, POSTGRES, named


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    if given := os.environ.get("KUBE_API"):
        yield given
        return
    with running() as address:
        yield address


def kept(api: str, namespace: str, path: str) -> Any:
    version, _, rest = path.rpartition("/")[0].rpartition("/")
    with urllib.request.urlopen(f"{api}/{version}/namespaces/{namespace}/{rest}/{path.rpartition('/')[2]}", timeout=10) as answer:
        return json.load(answer)


def deployment(api: str, namespace: str) -> Any:
    return kept(api, namespace, "apis/apps/v1/deployments/sf-smallfirst")


def test_a_release_is_installed_upgraded_rolled_back_and_removed(api: str) -> None:
    space = f"release-{uuid.uuid4().hex[:8]}"
    with helm_python.Config(kube_apiserver=api, namespace=space, storage_driver="memory") as helm:
        first = helm.install(str(CHART), "sf", {}, namespace=space)
        assert (first["revision"], first["status"]) == (1, "deployed")
        before = deployment(api, space)["spec"]
        assert before["replicas"] == 1
        second = helm.upgrade(str(CHART), "sf", {"replicas": 3, "store": POSTGRES, "maxConcurrency": 64}, namespace=space)
        assert (second["revision"], second["status"]) == (2, "deployed")
        after = deployment(api, space)["spec"]
        assert after["replicas"] == 3
        assert after["selector"] == before["selector"]
        checksums = [spec["template"]["metadata"]["annotations"]["checksum/config"] for spec in (before, after)]
        assert checksums[0] != checksums[1]
        helm.rollback("sf", version=1)
        again = deployment(api, space)["spec"]
        assert again["replicas"] == 1
        assert again["template"]["metadata"]["annotations"]["checksum/config"] == checksums[0]
        assert [found["revision"] for found in helm.history("sf")] == [1, 2, 3]
        helm.uninstall("sf")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        deployment(api, space)


def test_an_upgrade_that_the_schema_refuses_changes_nothing(api: str) -> None:
    space = f"release-{uuid.uuid4().hex[:8]}"
    with helm_python.Config(kube_apiserver=api, namespace=space, storage_driver="memory") as helm:
        helm.install(str(CHART), "sf", {}, namespace=space)
        with pytest.raises(helm_python.HelmError, match="/store/kind"):
            helm.upgrade(str(CHART), "sf", {"replicas": 2}, namespace=space)
        assert deployment(api, space)["spec"]["replicas"] == 1
        assert [found["revision"] for found in helm.history("sf")] == [1]


@pytest.mark.parametrize("name", ["example-production", "example-multinode", "example-vllm", "keda-inflight", "gateway-api"])
def test_everything_that_a_value_set_makes_is_installed_and_gone_after_its_removal(api: str, name: str) -> None:
    space = f"release-{uuid.uuid4().hex[:8]}"
    with helm_python.Config(kube_apiserver=api, namespace=space, storage_driver="memory") as helm:
        helm.install(str(CHART), "sf", dict(ALL[name]), namespace=space)
        wanted = [found for found in named(name).objects if found["kind"] != "Pod"]
        for found in wanted:
            assert kept(api, space, path(found))["metadata"]["labels"] == found["metadata"]["labels"]
        helm.uninstall("sf")
    for found in wanted:
        stays = found["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
        if not stays:
            with pytest.raises(urllib.error.HTTPError, match="404"):
                kept(api, space, path(found))


def path(found: Any) -> str:
    version, name = found["apiVersion"], found["metadata"]["name"]
    return f"{'apis' if '/' in version else 'api'}/{version}/{plural(found['kind'])}/{name}"
