"""Fitting again from the store's own labels: by command, by schedule, and every worker follows."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.calibration.artifact import Artifact
from router.calibration.stored import dump
from router.errors import ConfigError
from router.types import Decision
from server.__main__ import main
from server.build import gateway
from server.config import checked
from server.observers.outcomes.address import engine
from server.observers.outcomes.database import Database
from server.observers.outcomes.encoding import Encoder
from server.observers.outcomes.ports import Refitted
from server.recalibrating import Plan, refit_apart
from tests.server.observers.outcomes.made import attempt, call, database, label, outcome, request

pytest.importorskip("sklearn")


def outcomes(store: Database, count: int, *, start: int = 0, age: float = 0.0) -> None:
    """Small's timers of other than five minutes are wrong, and audits or escalations found that out."""
    draw, encoder, now = random.Random(start), Encoder(), time.time() - age
    entries: list[Any] = []
    for number in range(start, start + count):
        wrong = draw.random() < 0.3
        draft = attempt("small", call(7000 + number if wrong else 5), confidence=0.9)
        done = replace(outcome(draft, response_id=f"r{number}"), decision=Decision(("small", "large")))
        entries.append(encoder.row(request(f"r{number}"), done, now))
        entries.append(label(f"r{number}", float(not wrong), weight=1.0, asked_at=now, at=now))
    store.write(entries)


def configured(folder: Path, url: str = "sqlite:///state/outcomes.db", **changes: Any) -> dict[str, Any]:
    """A gateway whose calibration was fitted to another time."""
    price = {"prompt": 1, "completion": 1}
    route = {
        "tiers": [{"name": "small", "engine": "slm", "price": price}, {"name": "large", "engine": "llm", "price": price}],
        "verifiers": [{"kind": "contract"}, {"kind": "confidence", "calibration": "old.json"}],
        "target": {"max_error": 0.1, "confidence": 0.9},
    }
    document = {
        "engines": {name: {"kind": "scripted", "replies": [call(5)]} for name in ("slm", "llm")},
        "routes": {"auto": route | changes},
        "outcomes": {"url": url},
    }
    (folder / "g.yaml").write_text(yaml.safe_dump(document))
    return document


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with labels, and a calibration from the first of them."""
    store = database(tmp_path)
    outcomes(store, 150)
    configured(tmp_path, verifiers=[{"kind": "contract"}])
    store.close()
    old = tmp_path / "first.jsonl"
    assert main(["outcomes", "export", "--config", str(tmp_path / "g.yaml"), "--out", str(old)]) == 0
    records = [json.loads(line) for line in old.read_text().splitlines()]
    for record in records:
        record["tiers"]["large"] = {"correct": 1.0}
    old.write_text("".join(json.dumps(record) + "\n" for record in records))
    fitted = ["fit", "--data", str(old), "--out", str(tmp_path / "old.json"), "--max-error", "0.1", "--confidence", "0.9"]
    assert main(fitted) == 0
    configured(tmp_path)
    return tmp_path


def test_the_command_fits_the_window_and_writes_a_file_or_the_store(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, config, out = database(folder), str(folder / "g.yaml"), folder / "new.json"
    outcomes(store, 100, start=1000, age=40 * 86_400)
    command = ["recalibrate", "--config", config]
    assert main(command) == 2
    assert "150 labelled outcomes in 30 days, 500 are needed" in capsys.readouterr().err
    assert main([*command, "--least", "100", "--out", str(out)]) == 0
    certificate = Artifact.load(out).certificate
    assert (certificate.records, certificate.sources, certificate.max_error) == (150, {"audit": 150}, 0.1)
    base = Artifact.load(folder / "old.json").certificate.fingerprint
    assert store.adopted("auto", base) is None
    assert main([*command, "--least", "100", "--days", "60"]) == 0
    adopted = store.adopted("auto", base)
    assert adopted is not None
    assert json.loads(adopted.body)["certificate"]["records"] == 250
    store.close()


@pytest.mark.parametrize(("given", "named"), [(["--route", "none"], "no route 'none'"), (["--days", "0.00001"], "are needed")])
def test_what_cannot_be_fitted_is_told_in_one_line(folder: Path, given: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recalibrate", "--config", str(folder / "g.yaml"), *given]) == 2
    assert named in capsys.readouterr().err


def test_without_the_extra_it_says_so_in_one_line_and_a_schedule_is_refused_at_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("", ".ensemble", ".feature_extraction", ".linear_model"):
        monkeypatch.setitem(sys.modules, f"sklearn{name}", None)
    assert main(["recalibrate", "--config", str(folder / "g.yaml"), "--least", "100"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "smallfirst: fitting needs the extra `fit`: pip install 'smallfirst[fit]'"
    gateway(checked(configured(folder)), folder)
    with pytest.raises(ConfigError, match=r"^routes\.auto\.recalibrate: fitting needs"):
        gateway(checked(configured(folder, recalibrate={"hours": 24})), folder)


def test_a_worker_follows_what_stands_in_the_store_and_watches_it_afresh(folder: Path) -> None:
    lines: list[str] = []
    made = gateway(checked(configured(folder)), folder, write=lines.append)
    recalibrator = made.recalibrator
    assert recalibrator is not None
    before = made.parts.cascades["auto"].route.difficulty
    assert recalibrator.poll() == []
    assert made.parts.cascades["auto"].route.difficulty is before
    assert main(["recalibrate", "--config", str(folder / "g.yaml"), "--least", "100", "--days", "60"]) == 0
    stored = Artifact.load(folder / "old.json").stored
    newer = replace(stored, certificate=replace(stored.certificate, fingerprint="sha256:newer", warnings=("fitted on a Monday",)))
    recalibrator.store.adopt(Refitted("auto", stored.certificate.fingerprint, "sha256:newer", 1.0, dump(newer)))
    recalibrator.poll()
    after = made.parts.cascades["auto"].route
    assert after.difficulty is not before
    assert after.verifiers[-1].inner.calibration is after.difficulty  # type: ignore[attr-defined]
    assert "fitted on a Monday" in made.parts.watch()["auto"]
    assert any("fitted again is in use" in line for line in lines)
    recalibrator.store.close()


@pytest.mark.parametrize("text", [None, "{", "{}"])
def test_what_happens_to_the_artifact_on_the_disk_meanwhile_keeps_no_worker_from_following(folder: Path, text: str | None) -> None:
    stored = Artifact.load(folder / "old.json").stored
    made = gateway(checked(configured(folder)), folder, write=lambda line: None)
    (folder / "old.json").unlink() if text is None else (folder / "old.json").write_text(text)
    newer = replace(stored, certificate=replace(stored.certificate, fingerprint="sha256:newer"))
    before, recalibrator = made.parts.cascades["auto"].route.difficulty, made.recalibrator
    assert recalibrator is not None
    recalibrator.store.adopt(Refitted("auto", stored.certificate.fingerprint, "sha256:newer", 1.0, dump(newer)))
    recalibrator.poll()
    assert made.parts.cascades["auto"].route.difficulty is not before
    recalibrator.store.close()


def test_a_calibration_that_breaks_the_routes_target_is_not_installed(folder: Path) -> None:
    lines: list[str] = []
    made = gateway(checked(configured(folder)), folder, write=lines.append)
    assert made.recalibrator is not None
    from router.calibration.stored import dump

    stored = Artifact.load(folder / "old.json").stored
    lax = replace(stored, certificate=replace(stored.certificate, fingerprint="sha256:lax", max_error=0.5))
    made.recalibrator.store.adopt(Refitted("auto", stored.certificate.fingerprint, "sha256:lax", 1.0, dump(lax)))
    before = made.parts.cascades["auto"]
    made.recalibrator.poll()
    assert made.parts.cascades["auto"] is before
    assert any("is not used" in line for line in lines)
    made.recalibrator.store.close()


async def test_a_schedule_is_carried_out_once_in_a_process_of_its_own(folder: Path) -> None:
    lines: list[str] = []
    document = configured(folder, recalibrate={"hours": 1, "least": 100})
    workers = [gateway(checked(document), folder, write=lines.append).recalibrator for _ in range(2)]
    due = [worker.poll() for worker in workers if worker is not None]
    assert [len(found) for found in due] == [1, 0]
    assert workers[0] is not None
    said = await workers[0]._apart(due[0][0].plan)
    assert "calibrated again on 150 labels" in said
    for worker in workers:
        assert worker is not None
        assert worker.poll() == []
        worker.store.close()


def test_a_turn_without_a_new_label_is_passed_over_and_says_so(folder: Path) -> None:
    """The command fits all the same, and so does a turn where another target is promised."""
    document = configured(folder, recalibrate={"hours": 1, "least": 100})
    made = gateway(checked(document), folder, write=lambda line: None).recalibrator
    assert made is not None
    plan = made.routes["auto"].plan

    def turn(plan: Plan = plan, **more: Any) -> str:
        return refit_apart(made.url, folder, replace(plan, **more), time.time())

    assert "calibrated again on 150 labels" in turn()
    with closing(made.store) as store:
        assert turn() == "not calibrated again: no new labels since the last time"
        store.write([label("r0", 1.0, at=time.time() + 1, asked_at=time.time(), source="feedback")])
        store.write([label("r1", 1.0, at=time.time() + 1, asked_at=time.time(), tier="large")])
        assert "no new labels" in turn()
        assert main(["recalibrate", "--config", str(folder / "g.yaml")]) == 0
        assert "no new labels" in turn()
        outcomes(store, 1, start=500, age=-5.0)
        assert "calibrated again on 151 labels" in turn()
        assert "calibrated again" in turn(options=replace(plan.options, max_error=0.2))


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from server.build import gateway
from server.config import load

async def main(config):
    made = gateway(load(config), config.parent, write=lambda line: None).recalibrator
    fitting = asyncio.create_task(made._apart(made.routes["auto"].plan))
    while made._pool is None or not made._pool._processes:
        await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's word is Linux's alone")
def test_a_fit_under_way_ends_with_a_worker_that_is_killed(folder: Path) -> None:
    configured(folder, recalibrate={"hours": 1, "least": 100})
    (folder / "killed.py").write_text(KILLED)
    command = [sys.executable, "-W", "ignore", str(folder / "killed.py"), str(folder / "g.yaml")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, timeout=50, env=environment)  # waits for whoever holds the pipe
    assert done.returncode == -signal.SIGKILL


async def test_replicas_on_postgresql_carry_out_one_schedule_and_all_follow(folder: Path, emptied: str) -> None:
    lines: list[str] = []
    document = configured(folder, emptied, recalibrate={"hours": 1, "least": 100})
    replicas = [gateway(checked(document), folder, write=lines.append) for _ in range(2)]
    before = [made.parts.cascades["auto"].route.difficulty for made in replicas]
    workers = [made.recalibrator for made in replicas if made.recalibrator is not None]
    assert len(workers) == 2
    with closing(Database(engine(emptied, folder))) as store:
        outcomes(store, 150)
    due = [worker.poll() for worker in workers]
    assert [len(found) for found in due] == [1, 0]
    assert "calibrated again on 150 labels" in await workers[0]._apart(due[0][0].plan)
    for worker, made, old in zip(workers, replicas, before, strict=True):
        assert worker.poll() == []
        assert made.parts.cascades["auto"].route.difficulty is not old
        worker.store.close()


def strict(folder: Path) -> None:
    """A calibration of the same labels for half of the error."""
    aim = ["--max-error", "0.05", "--confidence", "0.9"]
    assert main(["fit", "--data", str(folder / "first.jsonl"), "--out", str(folder / "strict.json"), *aim]) == 0


async def test_the_stricter_targets_are_fitted_again_too_and_put_to_work(folder: Path) -> None:
    """By the command, each under its own name; a running gateway follows each of them."""
    strict(folder)
    targets = {"strict": {"max_error": 0.05, "confidence": 0.9, "calibration": "strict.json"}}
    document = configured(folder, targets=targets, recalibrate={"least": 100, "source": "all"})
    made = gateway(checked(document), folder, write=lambda line: None)
    before = made.parts.cascades["auto"].route
    with closing(database(folder)) as store:
        outcomes(store, 200, start=1000)
    assert main(["recalibrate", "--config", str(folder / "g.yaml")]) == 0
    assert made.recalibrator is not None
    made.recalibrator.poll()
    after = made.parts.cascades["auto"].route

    def promise(judges: Any) -> tuple[float, str]:
        certificate = next(each for each in judges if each.kind == "confidence").inner.calibration.certificate
        return certificate.max_error, certificate.fingerprint

    assert [promise(after.verifiers)[0], promise(after.targets["strict"])[0]] == [0.1, 0.05]
    assert promise(after.verifiers) != promise(before.verifiers)
    assert promise(after.targets["strict"]) != promise(before.targets["strict"])


def test_a_file_takes_the_target_that_was_named(folder: Path) -> None:
    strict(folder)
    configured(folder, targets={"strict": {"max_error": 0.05, "confidence": 0.9, "calibration": "strict.json"}})
    asked = ["recalibrate", "--config", str(folder / "g.yaml"), "--source", "all", "--least", "100", "--out", str(folder / "new.json")]
    for more, promised in ([], 0.1), (["--target", "strict"], 0.05):
        assert main([*asked, *more]) == 0
        assert Artifact.load(folder / "new.json").certificate.max_error == promised
    assert main([*asked, "--target", "lax"]) == 2
