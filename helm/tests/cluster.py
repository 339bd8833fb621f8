"""As much of Kubernetes' API as Helm's own release logic asks: discovery, and objects that are applied, read, listed and deleted.

It keeps what it is given and does nothing with it: no validation, no defaults, no controllers, no scheduler.
"""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import yaml

Object = dict[str, Any]
Key = tuple[str, str, str, str]

SERVED = {
    "v1": "ConfigMap Secret Service ServiceAccount Pod PersistentVolumeClaim",
    "apps/v1": "Deployment",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "policy/v1": "PodDisruptionBudget",
    "networking.k8s.io/v1": "NetworkPolicy Ingress",
    "monitoring.coreos.com/v1": "ServiceMonitor PrometheusRule",
    "gateway.networking.k8s.io/v1": "HTTPRoute",
    "keda.sh/v1alpha1": "ScaledObject",
    "leaderworkerset.x-k8s.io/v1": "LeaderWorkerSet",
}
"""What can be kept, all of it in namespaces."""


def plural(kind: str) -> str:
    """The resource of a kind."""
    lower = kind.lower()
    return lower[:-1] + "ies" if lower.endswith("y") else lower + ("es" if lower.endswith("s") else "s")


def merged(base: Object, over: Object) -> Object:
    """A merge patch: null takes away."""
    kept = {key: value for key, value in base.items() if key not in over}
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            kept[key] = merged(base[key], value)
        elif value is not None:
            kept[key] = value
    return kept


class Api(BaseHTTPRequestHandler):
    """One request; the objects are the server's."""

    protocol_version = "HTTP/1.1"
    kept: ClassVar[dict[Key, Object]] = {}
    lock: ClassVar[threading.Lock] = threading.Lock()

    def do_GET(self) -> None:
        path = self._path()
        if path == ["version"]:
            self._tell({"major": "1", "minor": "34", "gitVersion": "v1.34.0"})
        elif path == ["api"]:
            self._tell({"kind": "APIVersions", "versions": ["v1"]})
        elif path == ["apis"]:
            self._tell({"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in SERVED if "/" in name]})
        elif "/".join(path[1:]) in SERVED:
            self._tell(_resources("/".join(path[1:])))
        elif path == ["openapi", "v3"]:
            self._tell({"paths": {found[1:]: {"serverRelativeURL": f"/openapi/v3{found}"} for found in map(_root, SERVED)}})
        elif path[:2] == ["openapi", "v3"] and (name := "/".join(path[3:])) in SERVED:
            self._tell(_document(name))
        elif key := self._key():
            self._tell(self.kept.get(key)) if key[3] else self._tell(self._list(key))
        else:
            self._tell(None)

    def do_POST(self) -> None:
        key, body = self._key(), self._body()
        if key is None:
            self._tell(None)
            return
        key = (*key[:3], body["metadata"]["name"])
        with self.lock:
            self._tell({"kind": "Status", "reason": "AlreadyExists", "code": 409}, 409) if key in self.kept else self._keep(key, body, 201)

    def do_PATCH(self) -> None:
        key, body = self._key(), self._body()
        if key is None:
            self._tell(None)
            return
        with self.lock:
            known = self.kept.get(key, {})
            whole = "apply-patch" in self.headers.get("content-type", "")
            self._keep(key, body if whole else merged(known, body), 200 if known else 201)

    def do_PUT(self) -> None:
        self.do_PATCH()

    def do_DELETE(self) -> None:
        key, _ = self._key(), self._body()
        with self.lock:
            self._tell(self.kept.pop(key, None) if key else None)

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _keep(self, key: Key, body: Object, status: int) -> None:
        given = body["metadata"]
        body["metadata"] = given | {"namespace": key[2], "uid": given.get("uid") or str(uuid.uuid4()), "resourceVersion": uuid.uuid4().hex}
        self.kept[key] = body
        self._tell(body, status)

    def _list(self, key: Key) -> Object:
        wanted = dict(part.split("=", 1) for part in self._query().get("labelSelector", [""])[0].split(",") if "=" in part)
        found = [one for known, one in self.kept.items() if known[:3] == key[:3] and wanted.items() <= one["metadata"]["labels"].items()]
        return {"kind": "List", "apiVersion": key[0], "metadata": {"resourceVersion": "1"}, "items": found}

    def _key(self) -> Key | None:
        """Version, resource, namespace and name of the path; without a name all of them."""
        path = self._path()[1:]
        version = next((name for name in SERVED if name.split("/") == path[: name.count("/") + 1]), None)
        rest = path[(version or "").count("/") + 1 :]
        if version is None or len(rest) < 3 or rest[0] != "namespaces" or rest[2] not in map(plural, SERVED[version].split()):
            return None
        return version, rest[2], rest[1], rest[3] if len(rest) > 3 else ""

    def _path(self) -> list[str]:
        return [part for part in urlsplit(self.path).path.split("/") if part]

    def _query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query)

    def _body(self) -> Object:
        return yaml.safe_load(self.rfile.read(int(self.headers.get("content-length") or 0)))

    def _tell(self, found: Object | None, status: int = 200) -> None:
        status, found = (status, found) if found is not None else (404, {"kind": "Status", "reason": "NotFound", "code": 404})
        text = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def _group(name: str) -> Object:
    group, version = name.split("/")
    served = {"groupVersion": name, "version": version}
    return {"name": group, "versions": [served], "preferredVersion": served}


def _resources(name: str) -> Object:
    verbs = ["create", "delete", "get", "list", "patch", "update"]
    kinds = [
        {"name": plural(kind), "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": verbs}
        for kind in SERVED[name].split()
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": kinds}


def _root(name: str) -> str:
    return f"/{'apis' if '/' in name else 'api'}/{name}"


def _document(name: str) -> Object:
    """Every kind takes any field, and patches can be dry runs."""
    parameters = [{"name": option, "in": "query", "schema": {"type": "string"}} for option in ("dryRun", "fieldValidation", "fieldManager")]
    schemas, paths = {}, {}
    for kind in SERVED[name].split():
        known = {"group": name.rpartition("/")[0], "version": name.rpartition("/")[2], "kind": kind}
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "x-kubernetes-group-version-kind": [known]}
        schemas[f"{name.replace('/', '.')}.{kind}"] = schema
        patch = {"parameters": parameters, "x-kubernetes-action": "patch", "x-kubernetes-group-version-kind": known, "responses": {}}
        paths[f"{_root(name)}/namespaces/{{namespace}}/{plural(kind)}/{{name}}"] = {"patch": patch}
    return {"openapi": "3.0.0", "info": {"title": name, "version": "1"}, "components": {"schemas": schemas}, "paths": paths}


@contextmanager
def running() -> Iterator[str]:
    """Its address, while it is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Fresh", (Api,), {"kept": {}}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
