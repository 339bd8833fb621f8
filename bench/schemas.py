"""The contract's verdicts against the official JSON-Schema-Test-Suite and against labelled instances of real schemas.

    .venv/bin/python bench/schemas.py --suite DIR [--wrong] [--json]           DIR holds `tests/draft…`, as the suite has it
    .venv/bin/python bench/schemas.py --instances F.jsonl[.gz] [--wrong] [--json]   lines of {id, schema, tests: [{valid, data}]}

Each schema goes the way of a request's: admitted (or refused) and compiled, then answers are checked as text. `required`
are the suite's own, `optional` and `format` its optional ones. Formats are asserted here, as a client who names one expects; the suite's
cases that take them for mere annotations stand under `annotation`. `refused` are cases whose schema a request may not have: no `$ref` to
another address, no pattern that would need backtracking, no keyword that is broken. `--wrong` lists every wrong verdict.
"""

import argparse
import gzip
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # run as a script, the repository's root is not on the path
    sys.path.insert(0, str(Path(__file__).absolute().parents[1]))

from router.contract import check, json_schema
from router.errors import InvalidRequest
from router.types import Choice

DIALECTS = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}


@dataclass(slots=True)
class Tally:
    """Verdicts of one group of cases; `spent` are the seconds of each check, `admitted` those of each schema."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)
    admitted: list[float] = field(default_factory=list)

    def take(self, where: str, schema: object, tests: Iterable[Mapping[str, Any]]) -> None:
        """All instances of one schema."""
        started = time.perf_counter()
        try:
            contract = json_schema(schema if isinstance(schema, dict) else {"allOf": [schema]})
        except InvalidRequest:
            self.counts["refused"] += sum(1 for _ in tests)
            return
        self.admitted.append(time.perf_counter() - started)
        for test in tests:
            answer = Choice(json.dumps(test["data"], ensure_ascii=False), "stop")
            started = time.perf_counter()
            valid = not check(contract, answer)
            self.spent.append(time.perf_counter() - started)
            right = valid == test["valid"]
            self.counts["right" if right else "wrong"] += 1
            if not right:
                self.wrong.append(f"{where}: {test.get('description') or test.get('desc')}: said {'valid' if valid else 'invalid'}")

    def told(self) -> dict[str, object]:
        """As printed; microseconds in the median, of a check, and of a schema's admission."""
        check_us, admit_us = (round(1e6 * statistics.median(spent), 1) if spent else None for spent in (self.spent, self.admitted))
        return {**{name: self.counts[name] for name in ("right", "wrong", "refused")}, "check_us": check_us, "admit_us": admit_us}


def suite(folder: Path) -> dict[str, Tally]:
    """The official suite by draft and kind; raises FileNotFoundError where it is not there."""
    found: dict[str, Tally] = {}
    for draft, dialect in DIALECTS.items():
        home = folder / "tests" / draft
        if not home.is_dir():
            raise FileNotFoundError(f"{home} is not there")
        for path in sorted(home.rglob("*.json")):
            tally = found.setdefault(f"{draft} {_kind(path.relative_to(home))}", Tally())
            for group in json.loads(path.read_text(encoding="utf-8")):
                schema = group["schema"]
                told = {"$schema": dialect, **schema} if isinstance(schema, dict) else schema
                tally.take(f"{draft}/{path.stem}: {group['description']}", told, group["tests"])
    return found


def instances(path: Path) -> dict[str, Tally]:
    """Labelled instances, all together."""
    tally = Tally()
    for line in _lines(path):
        row = json.loads(line)
        tally.take(row["id"], row["schema"], row["tests"])
    return {path.name.partition(".")[0]: tally}


def _kind(path: Path) -> str:
    if path.parts[0] != "optional":
        return "annotation" if path.name == "format.json" else "required"
    return "format" if "format" in path.parts[1] else "optional"


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        yield from lines


def main() -> None:
    """Print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--suite", type=Path, metavar="DIR")
    source.add_argument("--instances", type=Path, metavar="F")
    parser.add_argument("--wrong", action="store_true", help="list every wrong verdict on stderr")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = suite(options.suite) if options.suite else instances(options.instances)
    for line in [line for tally in found.values() for line in tally.wrong] if options.wrong else []:
        print(line, file=sys.stderr)
    told = {name: tally.told() for name, tally in found.items()}
    if options.json:
        print(json.dumps(told))
        return
    print(f"{'':28}{'right':>8}{'wrong':>8}{'refused':>9}{'check µs':>10}{'admit µs':>10}")
    for name, row in told.items():
        print(f"{name:28}{row['right']:>8}{row['wrong']:>8}{row['refused']:>9}{row['check_us']!s:>10}{row['admit_us']!s:>10}")


if __name__ == "__main__":
    main()
