"""What the Dockerfile promises, without building it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
FINAL = DOCKERFILE.rsplit("\nFROM ", 1)[1]


def test_everything_installed_is_pinned_by_hash() -> None:
    installs = re.findall(r"pip[^&\n]* install [^&\n]*", DOCKERFILE)
    assert installs
    assert all("--require-hashes" in line or "--no-deps --no-index" in line for line in installs)
    for lock in ("deploy/image.lock", "deploy/build.lock"):
        assert "--hash=sha256:" in (ROOT / lock).read_text()


def test_the_image_holds_the_versions_that_the_tests_ran_with() -> None:
    """`make lock` pins both."""
    tested, shipped = (
        set(re.findall(r"^\S+==\S+", (ROOT / lock).read_text(), re.MULTILINE)) for lock in ("requirements.lock", "deploy/image.lock")
    )
    assert tested <= shipped
    assert any(pin.startswith("psycopg") for pin in shipped - tested)


def test_it_does_not_run_as_root_and_is_ready_only_when_the_gateway_is() -> None:
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", FINAL, re.MULTILINE)
    assert "/readyz" in FINAL.partition("HEALTHCHECK")[2].partition("ENTRYPOINT")[0]


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
