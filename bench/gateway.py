"""`make bench`: throughput and latency of Smallfirst with the cascade on beside other gateways, in one run on one machine.

The same constant upstream (nginx), the same load generator (wrk), one core for the gateway and one for the rest. Each figure is the median
of several rounds, in each of which every gateway has its turn. Needs nginx and wrk; peers as `bench/peers.py` says.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import httpx

from bench.answers import CASES, REQUESTS, Case, records
from bench.load import Load, middle, paced, wrk
from bench.machine import cpu_seconds, memory, missing, named, stop
from bench.peers import Started, cascadeflow, litellm, passthrough, settings, sglang, smallfirst, started
from bench.upstream import Body, constant

Json = dict[str, Any]
GATEWAY_CORE, OTHER_CORE = 0, 1
PATH = "/v1/chat/completions"
HEADERS = {"content-type": "application/json", "authorization": "Bearer sk-bench"}
OK = 200
DIRECT = "upstream itself"
OURS = "smallfirst"


def main() -> int:
    """Run, print, and write the JSON where one is asked for."""
    options = _options()
    if absent := missing("nginx", "wrk", "taskset"):
        sys.stderr.write(f"bench: not installed: {', '.join(absent)} (Debian's nginx-light, wrk, util-linux)\n")
        return 1
    os.sched_setaffinity(0, {OTHER_CORE})  # or the bench's own work would be done on the gateway's core, now and then
    with tempfile.TemporaryDirectory(prefix="smallfirst-bench-") as scratch:
        folder = Path(scratch)
        calibration = options.calibration or fitted(folder)
        found = {case.name: run(case, options, folder, calibration) for case in CASES if case.name in options.cases}
    report = {"machine": named(), "seconds": options.seconds, "rounds": options.rounds, "cases": found}
    if options.json:
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
    else:
        sys.stdout.write(told(report))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, default=Path("/tmp/peers"), help="the peers' environments")  # noqa: S108
    parser.add_argument("--only", nargs="*", help="only these gateways")
    parser.add_argument("--cases", nargs="*", default=[case.name for case in CASES])
    parser.add_argument("--connections", type=int, nargs="*", default=[1, 16, 64])
    parser.add_argument("--seconds", type=int, default=4, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calibration", type=Path, help="instead of one fitted for the run")
    parser.add_argument("--workers", action="store_true", help="also the CPU a request of one worker and of two, on all cores")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def fitted(folder: Path) -> Path:
    """A calibration for the recorded answers, by the project's own command."""
    from server.__main__ import main as smallfirst

    data, out = folder / "records.jsonl", folder / "calibration.json"
    with data.open("w", encoding="utf-8") as lines:
        for record in records():
            lines.write(json.dumps(record) + "\n")
    if smallfirst(["fit", "--data", str(data), "--out", str(out)]):
        raise RuntimeError("the calibration could not be fitted")
    known = json.loads(out.read_text(encoding="utf-8"))
    for signal in known["signals"].values():
        signal["reference"] = None  # answers that are always the same would be a drift, and the watcher would let them all escalate
    out.write_text(json.dumps(known), encoding="utf-8")
    return out


def run(case: Case, options: argparse.Namespace, folder: Path, calibration: Path) -> Json:
    """One case: rounds of all gateways at all numbers of connections, then our own time at half of our capacity."""
    request = json.dumps(REQUESTS[case.name]).encode()
    place = folder / case.name
    place.mkdir()
    bodies = {"answer": Body(case.answer, case.kind), "small": Body(case.small, case.kind)}
    with ExitStack() as stack:
        upstream = stack.enter_context(constant(bodies, place, OTHER_CORE))
        config = settings(upstream["small"], upstream["answer"], place, calibration, gated=case.name == "stream")
        running, absent = gateways(config, upstream["answer"], place, request, options, stack)

        loads, spent = rounds(running, absent, request, place, options)
        running = {name: one for name, one in running.items() if name not in absent}
        figures = {name: {count: middle(found) for count, found in loads[name].items()} for name in running}
        cpu = {name: statistics.median(spent[name]) for name, one in running.items() if one.process is not None}
        megabytes = {name: memory(one.process.pid) for name, one in running.items() if one.process is not None}
        _leave_alone(running)
        climbs = attempts(running[OURS].url, request) if OURS in running else None
        own = half(running, figures, request, options.rounds) if OURS in running and case.name != "stream" else None
        workers = by_workers(config, request, place, options) if OURS in running and options.workers else {}
    return {"figures": {name: {n: asdict(one) for n, one in by.items()} for name, by in figures.items()}} | {
        "memory_mb": megabytes,
        "cpu_seconds_a_request": cpu,
        "own_seconds_at_half_capacity": own,
        "cpu_seconds_a_request_by_workers": workers,
        "seconds_to_ready": {name: one.seconds for name, one in running.items() if one.process is not None},
        "attempts": climbs,
        "absent": absent,
    }


def rounds(
    running: dict[str, Started], absent: dict[str, str], request: bytes, place: Path, options: argparse.Namespace
) -> tuple[dict[str, dict[int, list[Load]]], dict[str, list[float]]]:
    """Loads by gateway and connections, and CPU seconds a request; one that breaks down under it is added to the `absent`."""
    loads: dict[str, dict[int, list[Load]]] = {name: {count: [] for count in options.connections} for name in running}
    spent: dict[str, list[float]] = {name: [] for name in running}
    warming = [(4, 2, name) for name in running]  # the first requests pay for connections and caches
    turns = [(count, options.seconds, name) for _, count, name in product(range(options.rounds), options.connections, running)]
    for place_in_turn, (count, seconds, name) in enumerate(warming + turns):
        if name in absent:
            continue
        before = used(running[name])
        try:
            found = wrk(running[name].url + PATH, request, place, connections=count, seconds=seconds, core=OTHER_CORE)
        except RuntimeError as error:
            absent[name] = f"at {count} connections: {error}"
            continue
        if place_in_turn >= len(warming):
            loads[name][count].append(found)
            spent[name].append((used(running[name]) - before) / max(1.0, found.rate * seconds))
    return loads, spent


def gateways(
    config: Path, answer: str, place: Path, request: bytes, options: argparse.Namespace, stack: ExitStack
) -> tuple[dict[str, Started], dict[str, str]]:
    """Those that start, and why the others do not."""
    launches = {
        OURS: smallfirst(config),
        "fastapi passthrough": passthrough(options.peers, answer),
        "sglang-router": sglang(options.peers, answer),
        "litellm": litellm(options.peers, answer, place),
        "cascadeflow": cascadeflow(options.peers, answer, place),
    }
    running, absent = {DIRECT: Started(answer, None, 0.0)}, {}
    for name, launch in launches.items():
        if options.only is not None and name not in options.only:
            continue
        try:
            candidate = stack.enter_context(started(launch, GATEWAY_CORE))
            said(candidate.url, request)
            running[name] = candidate
        except (RuntimeError, OSError, httpx.TransportError) as error:
            absent[name] = str(error)
    return running, absent


def said(url: str, request: bytes) -> None:
    """Raises RuntimeError where a gateway gives back nothing of what the upstream says: then its figures say nothing either."""
    told = httpx.post(url + PATH, content=request, headers=HEADERS, timeout=60)
    if told.status_code != OK:
        raise RuntimeError(f"it answers with {told.status_code}: {told.text[:200]}")
    if "stream" in json.loads(request):
        found = any('"content"' in line and '"content": ""' not in line for line in told.text.splitlines())
    else:
        message = told.json()["choices"][0]["message"]
        found = bool(message.get("content") or message.get("tool_calls"))
    if not found:
        raise RuntimeError("it answers with an empty message")


def used(one: Started) -> float:
    """CPU seconds of a gateway so far."""
    return 0.0 if one.process is None else cpu_seconds(one.process.pid)


def by_workers(config: Path, request: bytes, place: Path, options: argparse.Namespace) -> dict[str, float]:
    """CPU seconds a request by who serves, in turn, medians of the rounds: one worker on each core alone, and two on both.

    All have as many connections a worker, for what is done for fewer requests at a time costs each of them more; and so does a core that
    the load and the upstream share, which one of two workers must have.
    """
    spent: dict[str, list[float]] = {}
    alone = smallfirst(config)
    with started(alone, GATEWAY_CORE) as own, started(alone, OTHER_CORE) as beside, started(smallfirst(config, 2), None) as two:
        plan = {"one worker": (own, 32), "one on the core of the load": (beside, 32), "two on both": (two, 64)}
        for number in range(options.rounds + 1):
            for who, (gateway, count) in plan.items():
                before = used(gateway)
                rate = wrk(gateway.url + PATH, request, place, connections=count, seconds=options.seconds, core=OTHER_CORE).rate
                if number:  # the first round pays for connections and caches
                    spent.setdefault(who, []).append((used(gateway) - before) / (rate * options.seconds))
    return {who: statistics.median(found) for who, found in spent.items()}


def attempts(url: str, request: bytes) -> int:
    """How many tiers the request takes after all that load."""
    return int(httpx.post(url + PATH, content=request, headers=HEADERS).headers["x-smallfirst-attempts"])


def _leave_alone(running: dict[str, Started]) -> None:
    """End the peers, which do not rest when nobody asks them: what they do on our core after a load would count as ours."""
    for name, one in running.items():
        if one.process is not None and name != OURS:
            stop(one.process)


def half(running: dict[str, Started], figures: dict[str, dict[int, Load]], request: bytes, rounds: int) -> Json:
    """What we add to the upstream's own time at half of our capacity, in seconds; medians of the rounds."""
    rate = max(one.rate for one in figures[OURS].values()) / 2
    ours = middle([asyncio.run(paced(running[OURS].url + PATH, request, rate, 8)) for _ in range(rounds)])
    direct = middle([asyncio.run(paced(running[DIRECT].url + PATH, request, rate, 4)) for _ in range(rounds)])
    return {"rate": rate, "p50": ours.p50 - direct.p50, "p99": ours.p99 - direct.p99, "failed": ours.failed}


def told(report: Json) -> str:
    """Ratios first, then the figures."""
    lines = [report["machine"], f"medians of {report['rounds']} rounds of {report['seconds']:g} s"]
    for case, found in report["cases"].items():
        lines += ["", f"## {case}", *_ratios(found["figures"]), ""]
        lines += ["| gateway | connections | requests/s | p50 ms | p99 ms | failed |", "| --- | --- | --- | --- | --- | --- |"]
        for name, by in found["figures"].items():
            for count, one in by.items():
                lines.append(
                    f"| {name} | {count} | {one['rate']:,.0f} | {one['p50'] * 1e3:.2f} | {one['p99'] * 1e3:.2f} | {one['failed']} |"
                )
        if own := found["own_seconds_at_half_capacity"]:
            lines += ["", f"own time at {own['rate']:,.0f} requests/s: p50 {own['p50'] * 1e3:.2f} ms, p99 {own['p99'] * 1e3:.2f} ms"]
        lines += [f"attempts of a request after the load: {found['attempts']}"]
        lines += ["CPU a request: " + ", ".join(f"{name} {cpu * 1e6:,.0f} µs" for name, cpu in found["cpu_seconds_a_request"].items())]
        lines += ["memory: " + ", ".join(f"{name} {size:.0f} MB" for name, size in found["memory_mb"].items())]
        lines += ["ready after: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in found["seconds_to_ready"].items())]
        told = found["cpu_seconds_a_request_by_workers"]
        lines += [f"CPU a request, {who}: {cpu * 1e6:,.0f} µs" for who, cpu in told.items()]
        lines += [f"not there: {name} ({why})" for name, why in found["absent"].items()]
    return "\n".join(lines) + "\n"


def _ratios(figures: Json) -> list[str]:
    """Our best rate over each other's."""
    best = {name: max(one["rate"] for one in by.values()) for name, by in figures.items()}
    if OURS not in best:
        return []
    return [f"- {best[OURS] / rate:.2f} times {name}" for name, rate in best.items() if name != OURS and rate]


if __name__ == "__main__":
    sys.exit(main())
