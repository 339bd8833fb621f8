"""What the Dockerfile promises, without building it."""

import http.server
import re
import ssl
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
FINAL = DOCKERFILE.rsplit("\nFROM ", 1)[1]


def pins(lock: str) -> set[str]:
    """What a lock pins, `name==version`."""
    return set(re.findall(r"^\S+==\S+", (ROOT / lock).read_text(), re.MULTILINE))


def hub() -> set[str]:
    """The packages that the image leaves out."""
    (line,) = re.findall(r"^HUB := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return set(line.split())


def test_everything_installed_is_pinned_by_hash() -> None:
    installs = re.findall(r"pip[^&\n]* install [^&\n]*", DOCKERFILE)
    assert installs
    assert all("--require-hashes" in line or "--no-deps --no-index" in line for line in installs)
    for lock in ("deploy/image.lock", "deploy/build.lock"):
        assert "--hash=sha256:" in (ROOT / lock).read_text()


def test_the_image_holds_the_versions_that_the_tests_ran_with() -> None:
    """`make lock` pins both."""
    tested, shipped = (pins(lock) for lock in ("requirements.lock", "deploy/image.lock"))
    assert {pin.partition("==")[0] for pin in tested - shipped} == hub()
    assert {pin.partition("==")[0] for pin in shipped - pins("requirements-dev.lock")} == {"nvidia-ml-py"}


def test_the_image_holds_what_any_configuration_may_ask_for() -> None:
    """Nothing can be installed in a container; vLLM has an image of its own, and nobody trains in the gateway's."""
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    (line,) = re.findall(r"^\t.+ -o deploy/image\.lock$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"--extra (\S+)", line)) == extras - {"vllm", "train", "dev"}
    assert any(pin.startswith("scikit-learn==") for pin in pins("deploy/image.lock"))


def test_the_wheel_is_built_with_all_that_the_project_names_for_it_and_compiled() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert {name.partition(">")[0] for name in wanted} <= {pin.partition("==")[0] for pin in pins("deploy/build.lock")}
    assert re.search(r"^COPY [^\n]*hatch_build\.py", DOCKERFILE, re.MULTILINE)
    assert "SMALLFIRST_COMPILE=require" in DOCKERFILE


WITHOUT = """
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys({names!r}))  # None: whoever imports it gets an ImportError
import router, server
for package in (router, server):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
from server.__main__ import main
sys.exit(main(["demo", "--config", {config!r}, "--json"]))
"""


def test_the_gateway_runs_without_what_the_image_leaves_out() -> None:
    names = sorted(name.replace("-", "_") for name in hub())
    code = WITHOUT.format(names=names, config=str(ROOT / "deploy" / "config" / "demo.yaml"))
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 0, found.stderr
    assert '"tier": "small"' in found.stdout


def test_it_does_not_run_as_root_and_is_ready_only_when_the_gateway_is() -> None:
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", FINAL, re.MULTILINE)
    assert "/opt/ready.py" in FINAL.partition("HEALTHCHECK")[2].partition("ENTRYPOINT")[0]


class Answering(http.server.BaseHTTPRequestHandler):
    """Says on `/readyz` what it was told to."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


@contextmanager
def answering(status: int, *, tls: bool) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Told", (Answering,), {"status": status}))
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("gateway.example").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_asks_a_gateway_with_and_without_tls(status: int, code: int, tls: bool) -> None:
    with answering(status, tls=tls) as port:
        found = subprocess.run([sys.executable, str(ROOT / "deploy" / "ready.py"), str(port)], check=False, timeout=30)
    assert found.returncode == code


def test_the_health_check_of_a_gateway_that_is_not_there_fails() -> None:
    with answering(200, tls=False) as port:
        pass
    assert subprocess.run([sys.executable, str(ROOT / "deploy" / "ready.py"), str(port)], check=False, timeout=30).returncode == 1


def test_no_library_reports_to_its_maker() -> None:
    assert "ORT_DISABLE_TELEMETRY=1" in FINAL
    assert "HF_HUB_DISABLE_TELEMETRY=1" in FINAL


def test_base_images_are_variables_and_nothing_else_is_pulled() -> None:
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${PYTHON_IMAGE}", "wheel", "scratch"}
    assert "# syntax=" not in DOCKERFILE
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, re.MULTILINE))
    assert set(re.findall(r"(?:--|,)from=([^\s,]+)", DOCKERFILE)) <= stages


def test_the_context_holds_only_what_is_listed() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    copied = {source for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for source in line.split()[:-1]}
    assert all(f"!{source}" in lines for source in copied), copied
