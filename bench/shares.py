"""Where a request's CPU goes: py-spy looks at the serving process some hundred times a second while requests pour in.

A sample counts for the part whose module stands innermost on its stack; native code counts for the Python that called it, and what no
part claims is the event loop's. Microseconds are the shares of the CPU a request takes without py-spy, measured just before. Needs nginx,
wrk and py-spy (`pip install py-spy`).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bench.answers import CASES, REQUESTS
from bench.gateway import GATEWAY_CORE, OTHER_CORE, PATH, fitted, used
from bench.load import wrk
from bench.machine import missing, named, pinned
from bench.peers import settings, smallfirst, started
from bench.upstream import Body, constant

ALONE = 5
"""Seconds of the measurement without py-spy."""
REST = "the event loop, and the interpreter's own"
THREAD = "the store's thread"
PARTS = {
    "judging: features of the tokens": ("router/calibration/doubt.py", "router/scores/"),
    "judging: asking the ensembles": ("router/calibration/trees.py", "router/calibration/linear.py"),
    "judging: features of request and answer": ("router/calibration/",),
    "checking contract and functions": ("router/contract/", "router/verifiers/contract.py", "router/verifiers/function.py"),
    "cascade, policy, verification": ("router/",),
    "observing: metrics, log line, row": ("server/observers/", "server/recording.py", "server/build/"),
    "reading the engine's answer": tuple(
        f"server/engines/openai/{name}.py" for name in ("reading", "parsing", "answers", "logprobs", "freedom")
    ),
    "asking the engine: the call, the client, the connection": ("server/engines/",),
    "parsing and translating the request": ("server/api/parsing.py", "server/api/translate.py", "server/api/wire.py", "pydantic/"),
    "encoding the answer and its headers": ("server/api/render.py", "server/api/explain.py"),
    "HTTP server, framework, our own layers": ("server/", "uvicorn/", "starlette/", "fastapi/"),
}
"""By part the modules, as they begin; the first that fits decides."""


def main() -> int:
    """Run and print a table; 1 where a program is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", default="json", choices=[case.name for case in CASES])
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--calibration", type=Path, help="instead of one fitted for the run")
    parser.add_argument("--py-spy", default="py-spy", help="the program")
    options = parser.parse_args()
    if absent := missing("nginx", "wrk", "taskset", options.py_spy):
        sys.stderr.write(f"bench: not installed: {', '.join(absent)}\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="smallfirst-bench-") as scratch:
        cpu, stacks = sampled(options, Path(scratch))
    sys.stdout.write(told(shares(stacks), cpu, options))
    return 0


def sampled(options: argparse.Namespace, folder: Path) -> tuple[float, list[str]]:
    """CPU seconds a request, and the stacks with their counts as py-spy writes them."""
    case = next(case for case in CASES if case.name == options.case)
    calibration, request = options.calibration or fitted(folder), json.dumps(REQUESTS[case.name]).encode()
    raw = folder / "stacks.txt"
    with constant({"answer": Body(case.answer, case.kind), "small": Body(case.small, case.kind)}, folder, OTHER_CORE) as upstream:
        config = settings(upstream["small"], upstream["answer"], folder, calibration, gated=case.name == "stream")
        with started(smallfirst(config), GATEWAY_CORE) as gateway:
            if gateway.process is None:
                raise RuntimeError("the gateway is not this bench's own process")

            def load(seconds: int) -> float:
                return wrk(gateway.url + PATH, request, folder, connections=options.connections, seconds=seconds, core=OTHER_CORE).rate

            load(2)  # the first requests pay for connections and caches
            before = used(gateway)
            requests = load(ALONE) * ALONE
            cpu = (used(gateway) - before) / requests
            command = [options.py_spy, "record", "--rate", "400", "--duration", str(options.seconds), "--nonblocking", "--threads"]
            spy = subprocess.Popen(  # noqa: S603  # py-spy
                pinned(OTHER_CORE, [*command, "--format", "raw", "--output", str(raw), "--pid", str(gateway.process.pid)]),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            load(options.seconds + 1)
            spy.wait()
    return cpu, raw.read_text(encoding="utf-8").splitlines()


def shares(stacks: Iterable[str]) -> dict[str, float]:
    """The part of all samples that each part of a request has, the largest first; `stacks` are `frame;frame;… count`."""
    counts: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        counts[part(stack.split(";"))] += int(count)
    return {name: count / counts.total() for name, count in counts.most_common()}


def part(frames: list[str]) -> str:
    """Whose work a stack is: `frames` are `function (module.py:line)`, the innermost last."""
    if any("server/observers/outcomes/recorder.py" in frame and frame.startswith("Recorder._work") for frame in frames):
        return THREAD
    for frame in reversed(frames):
        module = frame.rpartition("(")[2]
        for name, begins in PARTS.items():
            if module.startswith(begins):
                return name
    return REST


def told(found: dict[str, float], cpu: float, options: argparse.Namespace) -> str:
    """A table of Markdown under the machine's name."""
    head = f"{named()}\n{options.case}, {options.connections} connections, {cpu * 1e6:,.0f} µs of CPU a request\n\n"
    rows = [f"| {name} | {100 * share:.1f} % | {cpu * share * 1e6:,.0f} |" for name, share in found.items()]
    return head + "\n".join(["| part | share | CPU µs |", "| --- | --- | --- |", *rows]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
