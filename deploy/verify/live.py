"""Brings up a gateway with two workers and the shipped rules in a real Prometheus, loads it, and asks for every panel's data.

python deploy/verify/live.py --port 18090 --seconds 240        no container is needed: `prometheus` must be installed

The intervals are shortened, nothing else: the rules are the shipped ones. Exits 1 where a panel, a variable or a rule fails or has no data.
"""

import argparse
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

HERE = Path(__file__).parent
PROMETHEUS = HERE.parent / "prometheus"
INTERVAL = "5s"


KEYS = {"prometheus": ["--admin"], "team-a": [], "team-b": ["--month-tokens", "100000000"], "spent": ["--day-usd", "0.0005"]}
"""API keys by name, and what else `smallfirst keys new` is told of them; the budget of the last is soon used."""
ALERTS = ("SmallfirstEngineDown", "SmallfirstEngineUnhealthy", "SmallfirstBudgetNearlySpent")
"""What must fire: one engine is not there, one budget is used."""


def keyed(file: Path) -> dict[str, str]:
    """The keys by name, made by the shipped command."""
    make = [sys.executable, "-m", "server", "keys", "new"]
    return {
        name: subprocess.run([*make, name, "--file", str(file), *more], check=True, capture_output=True, text=True).stdout.split()[-1]  # noqa: S603
        for name, more in KEYS.items()
    }


def shortened(gateway: str, key: str) -> str:
    """The shipped configuration at this machine's addresses; the gateway shows its metrics to that key."""
    shipped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    shipped["global"] = {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL}
    shipped["rule_files"] = [str((PROMETHEUS / name).resolve()) for name in shipped["rule_files"]]
    shipped["scrape_configs"] = [
        {"job_name": "smallfirst", "static_configs": [{"targets": [gateway]}], "authorization": {"credentials": key}}
    ]
    return yaml.safe_dump(shipped)


@contextmanager
def running(name: str, folder: Path, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose output is kept in `folder`, told to stop at the end."""
    with (folder / f"{name}.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:  # noqa: S603  # our own
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def powercap(root: Path, watts: float = 20.0) -> Iterator[None]:
    """A tree as Linux shows RAPL's counters, which draws so much."""
    zone = root / "intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "name").write_text("package-0\n")
    (zone / "max_energy_range_uj").write_text("262143328850\n")
    began, done = time.monotonic(), threading.Event()

    def count() -> None:
        while True:
            next_value = zone / "next"
            next_value.write_text(f"{int(1e6 * watts * (time.monotonic() - began))}\n")
            next_value.replace(zone / "energy_uj")
            if done.wait(0.02):
                return

    counting = threading.Thread(target=count)
    counting.start()
    try:
        yield
    finally:
        done.set()
        counting.join()


def wait_for(url: str, patience: float = 60.0) -> None:
    """Until it answers 200."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            if httpx.get(url, timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise SystemExit(f"{url} does not answer")


def script(name: str, *words: str) -> list[str]:
    """A command of this folder."""
    return [sys.executable, str(HERE / name), *words]


def passed(command: list[str]) -> bool:
    """Whether it ran and found nothing wrong; what it says is shown."""
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603  # our own, or the caller's


@contextmanager
def stack(folder: Path, gateway: str, prometheus: str) -> Iterator[dict[str, str]]:
    """A gateway of two workers and Prometheus, both ready; gives the keys by name. At the end the last lines of their logs are shown."""
    settings = folder / "verify" / "live.yaml"
    (settings.parent / "state").mkdir(parents=True)
    shutil.copy(HERE / "live.yaml", settings)
    shutil.copytree(HERE.parent / "config", folder / "config")
    keys = keyed(settings.parent / "state" / "keys.yaml")
    (folder / "prometheus.yml").write_text(shortened(gateway, keys["prometheus"]))
    port = gateway.rpartition(":")[2]
    serve = [sys.executable, "-m", "server", "serve", "--config", str(settings), "--port", port, "--workers", "2"]
    scrape = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    scrape.append(f"--web.listen-address={prometheus}")
    with powercap(settings.parent / "powercap"), running("gateway", folder, serve), running("prometheus", folder, scrape):
        try:
            wait_for(f"http://{gateway}/readyz", 120)
            wait_for(f"http://{prometheus}/-/ready")
            yield keys
        finally:
            for log in sorted(folder.glob("*.log")):
                print(f"-- {log.stem}: {' | '.join(log.read_text(errors='replace').splitlines()[-3:])[:600]}")


def main() -> int:
    """0 if every panel has data and the alerts fire."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=18090, help="of the gateway; Prometheus gets the next one")
    parser.add_argument("--seconds", type=float, default=240.0, help="how long to wait for data, and then for alerts")
    parser.add_argument(
        "--also", type=shlex.split, default=[], metavar="COMMAND", help="run this meanwhile; {url} is the gateway, {key} opens it"
    )
    given = parser.parse_args()
    gateway, prometheus = f"127.0.0.1:{given.port}", f"127.0.0.1:{given.port + 1}"
    asked = ("--prometheus", f"http://{prometheus}", "--patience", str(given.seconds))
    with tempfile.TemporaryDirectory(prefix="smallfirst-live-") as name, stack(Path(name), gateway, prometheus) as keys:
        clients = [part for who, key in keys.items() if who != "prometheus" for part in ("--key", key)]
        load = script(
            "load.py", "--url", f"http://{gateway}", "--seconds", str(4 * given.seconds), "--pause", "0.02", "--everything", *clients
        )
        with running("load", Path(name), load):
            also = [part.format(url=f"http://{gateway}", key=keys["prometheus"]) for part in given.also]
            good = [passed(also)] if also else []
            good += [passed(script("observe.py", "panels", *asked)), passed(script("observe.py", "firing", *asked, *ALERTS))]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
