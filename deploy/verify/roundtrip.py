"""Reads every dashboard into Grafana's own typed model and writes it again: a key that gets lost on the way is a typo.

Needs grafana-foundation-sdk: `deploy/verify/run.sh static` runs it with its own tools.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def lost(before: object, after: object, where: str = "") -> Iterator[str]:
    """Paths whose value is not what it was."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            yield from lost(value, after.get(key), f"{where}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, pair in enumerate(zip(before, after, strict=True)):
            yield from lost(*pair, f"{where}[{index}]")
    elif before != after:
        yield f"{where}: {before!r} became {after!r}"


def main() -> int:
    """0 if nothing is lost."""
    register_default_plugins()
    found = []
    for path in sorted((Path(__file__).parents[1] / "grafana").glob("*.json")):
        before = json.loads(path.read_text())
        after = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(before)))
        found += [f"{path.name}{where}" for where in lost(before, after)]
    print("\n".join(found) or "dashboards: Grafana's typed model keeps every key")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
