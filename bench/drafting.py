"""What the benches of the bundled pair share: the requests that they ask, one draft of an engine, the size of a tool, a table."""

import argparse
import json
from collections.abc import Mapping, Sequence

from models.recording import Case, generated, handwritten
from router.attempting import Running
from router.ports import Engine
from router.types import Choice, EngineCall, Tier, Tool


def arguments(about: str | None, n: int) -> argparse.ArgumentParser:
    """A parser that knows which requests are meant, `n` of the generated ones by default, and the form of what is printed."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=n, help="generated requests for the pair; default: %(default)s")
    parser.add_argument("--handwritten", action="store_true", help="the hand-written requests instead")
    parser.add_argument("--seed", type=int, default=2024)
    parser.add_argument("--json", action="store_true")
    return parser


def cases(given: argparse.Namespace) -> list[Case]:
    """The requests that the arguments mean."""
    return handwritten() if given.handwritten else generated("test", given.n, given.seed)


async def drafted(engine: Engine, call: EngineCall) -> Choice | None:
    """The engine's first choice, `None` where it gave none."""
    running = Running(Tier(engine.name, engine.name), "try", engine, call, lambda: 0.0)
    await running.drain()
    return running.generation.choices[0] if running.generation else None


def size(tool: Tool) -> int:
    """Characters of its name, description and schema as JSON."""
    return len(json.dumps({"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}, separators=(",", ":")))


def printed(n: int, rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    """One JSON object, or a table under the names of the first row."""
    if as_json:
        print(json.dumps({"n": n, "rows": list(rows)}))
        return
    print(f"n {n}\n" + "".join(f"{name:>18}" for name in rows[0]))
    for row in rows:
        print("".join(f"{_told(value):>18}" for value in row.values()))


def _told(value: object) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
