"""Install, upgrade, rollback and removal through Helm's own release logic, against the API server that KUBE_API names.

Any API server will do that keeps objects; nothing is scheduled there.
"""

import json
import os
import urllib.error
import urllib.request
import uuid
from typing import Any

import helm_python
import pytest
from rendering import CHART, POSTGRES

API = os.environ.get("KUBE_API", "")
pytestmark = pytest.mark.skipif(not API, reason="KUBE_API names no API server, http://127.0.0.1:PORT")


def deployment(namespace: str) -> Any:
    with urllib.request.urlopen(f"{API}/apis/apps/v1/namespaces/{namespace}/deployments/sf-smallfirst", timeout=10) as answer:
        return json.load(answer)


def test_a_release_is_installed_upgraded_rolled_back_and_removed() -> None:
    space = f"release-{uuid.uuid4().hex[:8]}"
    with helm_python.Config(kube_apiserver=API, namespace=space, storage_driver="memory") as helm:
        first = helm.install(str(CHART), "sf", {}, namespace=space)
        assert (first["revision"], first["status"]) == (1, "deployed")
        before = deployment(space)["spec"]
        assert before["replicas"] == 1
        second = helm.upgrade(str(CHART), "sf", {"replicas": 3, "store": POSTGRES, "maxConcurrency": 64}, namespace=space)
        assert (second["revision"], second["status"]) == (2, "deployed")
        after = deployment(space)["spec"]
        assert after["replicas"] == 3
        assert after["selector"] == before["selector"]
        checksums = [spec["template"]["metadata"]["annotations"]["checksum/config"] for spec in (before, after)]
        assert checksums[0] != checksums[1]
        helm.rollback("sf", version=1)
        again = deployment(space)["spec"]
        assert again["replicas"] == 1
        assert again["template"]["metadata"]["annotations"]["checksum/config"] == checksums[0]
        assert [found["revision"] for found in helm.history("sf")] == [1, 2, 3]
        helm.uninstall("sf")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        deployment(space)


def test_an_upgrade_that_the_schema_refuses_changes_nothing() -> None:
    space = f"release-{uuid.uuid4().hex[:8]}"
    with helm_python.Config(kube_apiserver=API, namespace=space, storage_driver="memory") as helm:
        helm.install(str(CHART), "sf", {}, namespace=space)
        with pytest.raises(helm_python.HelmError, match="/store/kind"):
            helm.upgrade(str(CHART), "sf", {"replicas": 2}, namespace=space)
        assert deployment(space)["spec"]["replicas"] == 1
        assert [found["revision"] for found in helm.history("sf")] == [1]
