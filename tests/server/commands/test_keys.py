"""`smallfirst keys` as an operator uses it."""

import json
import stat
import time
from pathlib import Path

import pytest
import yaml

from router.errors import InvalidKey
from server.__main__ import main
from server.access.keyfile import load


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    """What went to standard output and error of a command that succeeded."""
    assert main(["keys", *arguments]) == 0
    told = capsys.readouterr()
    return told.out.strip(), told.err


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["keys", *arguments]) == 2
    return capsys.readouterr().err


def test_a_new_key_is_printed_once_and_nothing_but_its_hash_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "secrets" / "keys.yaml"
    scopes = ("--route", "auto", "--tier", "small", "--rate", "60", "--day-usd", "5", "--month-tokens", "1000", "--inside")
    key, _ = run(capsys, "new", "team-a", "--file", str(path), *scopes)
    assert key.startswith("sk-sf-")
    assert key.removeprefix("sk-sf-")[9:] not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = load(path).ring.find(key, time.time())
    assert (found.name, found.routes, found.tiers, found.rate, found.inside_only) == ("team-a", {"auto"}, {"small"}, 60, True)
    assert (found.budgets["day"].usd, found.budgets["month"].tokens) == (5, 1000)
    assert "already" in refused(capsys, "new", "team-a", "--file", str(path))
    listed, _ = run(capsys, "list", "--file", str(path))
    assert listed.startswith("team-a  valid  ")
    assert key not in listed


def test_without_a_file_the_entry_is_printed_beside_the_key(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    key, entry = run(capsys, "new", "team-a", "--rate", "5")
    path = tmp_path / "keys.yaml"
    path.write_text(yaml.safe_dump({"keys": yaml.safe_load(entry)}))
    assert load(path).ring.find(key, time.time()).rate == 5


def test_an_administrators_key_asks_no_route_unless_one_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = str(tmp_path / "keys.yaml")
    ops, _ = run(capsys, "new", "ops", "--admin", "--file", path)
    both, _ = run(capsys, "new", "both", "--admin", "--route", "auto", "--file", path)
    ring = load(Path(path)).ring
    assert [ring.find(ops, 0).permits("auto"), ring.find(both, 0).permits("auto")] == [False, True]


def test_a_rotated_key_has_two_secrets_until_the_old_one_ends(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    old, _ = run(capsys, "new", "team-a", "--file", str(path), "--rate", "7")
    new, _ = run(capsys, "rotate", "team-a", "--file", str(path), "--overlap", "2d", "--expires", "90d")
    ring, now = load(path).ring, time.time()
    assert {ring.find(old, now).rate, ring.find(new, now).rate} == {7}
    with pytest.raises(InvalidKey, match="expired"):
        ring.find(old, now + 2 * 86400 + 1)
    assert ring.find(new, now + 89 * 86400).name == "team-a"
    with pytest.raises(InvalidKey, match="expired"):
        ring.find(new, now + 91 * 86400)
    run(capsys, "rotate", "team-a", "--file", str(path), "--overlap", "0h")
    run(capsys, "rotate", "team-a", "--file", str(path))
    assert len(load(path).keys["team-a"].secrets) == 2, "what is over is not kept"


def test_revoking_takes_the_key_or_one_of_its_secrets(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    old, _ = run(capsys, "new", "team-a", "--file", str(path))
    new, _ = run(capsys, "rotate", "team-a", "--file", str(path))
    run(capsys, "revoke", "team-a", "--file", str(path), "--id", old[6:14])
    with pytest.raises(InvalidKey):
        load(path).ring.find(old, time.time())
    assert load(path).ring.find(new, time.time()).name == "team-a"
    run(capsys, "revoke", "team-a", "--file", str(path))
    with pytest.raises(InvalidKey):
        load(path).ring.find(new, time.time())
    assert json.loads(run(capsys, "list", "--file", str(path), "--json")[0]) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("new", "a b"), "String should match"),
        (("new", "a", "--rate", "0"), "rate"),
        (("new", "a", "--day-usd", "-1"), "usd"),
        (("new", "a", "--expires", "soon"), "soon"),
        (("rotate", "nobody", "--file", "FILE"), "nobody"),
        (("rotate", "ann", "--file", "FILE", "--overlap", "x"), "12h"),
        (("revoke", "nobody", "--file", "FILE"), "nobody"),
        (("revoke", "ann", "--id", "00000000", "--file", "FILE"), "00000000"),
        (("list", "--file", "/nowhere/keys.yaml"), "/nowhere/keys.yaml"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = str(tmp_path / "keys.yaml")
    run(capsys, "new", "ann", "--file", path)
    said = refused(capsys, *(path if argument == "FILE" else argument for argument in arguments))
    assert told in said
    assert said.count("\n") == 1
