"""`smallfirst outcomes export`: stored outcomes as replay records."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, get_args

from router.errors import ConfigError
from server.commands.parsing import Commands, add_command
from server.config import load
from server.observers.outcomes.ports import Source

_EVERY = 1000


def add(commands: Commands) -> None:
    """Register the command."""
    outcomes = commands.add_parser("outcomes", help="the store of outcomes", description="What the gateway recorded of its requests.")
    actions = outcomes.add_subparsers(metavar="action", required=True)
    example = "smallfirst outcomes export --config smallfirst.yaml --out outcomes.jsonl"
    parser = add_command(actions, "export", "write labelled outcomes as replay records", example, run)
    parser.add_argument("--out", type=Path, required=True, metavar="F", help="the file to write, one JSON object a line")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--config", type=Path, metavar="F", help="the YAML configuration whose store is read")
    where.add_argument("--url", default="sqlite:///state/outcomes.db", help="the store itself; default: %(default)s")
    parser.add_argument("--route", help="only outcomes of this route")
    parser.add_argument("--source", choices=get_args(Source), help="only labels of this source")


def run(options: argparse.Namespace) -> int:
    """Stream the records to the file; raises ConfigError where the store cannot be read or the file not be written."""
    from server.observers.outcomes.address import engine
    from server.observers.outcomes.database import Database
    from server.observers.outcomes.export import records
    from server.observers.outcomes.ports import StoreLost

    url, folder = _where(options)
    reached = engine(url, folder)
    if reached.dialect.name == "sqlite" and not Path(reached.url.database or "").is_file():
        raise ConfigError(f"outcomes export: there is no store at {reached.url.database}", param="outcomes.url")
    store = Database(reached)
    try:
        count = _write(options.out, _matching(records(store, options.source, options.route), options))
    except (StoreLost, OSError) as error:
        raise ConfigError(f"outcomes export: {error}") from error
    finally:
        store.close()
    print(f"{options.out}: {count} labelled outcomes", file=sys.stderr)
    return 0


def _matching(found: Iterator[dict[str, Any]], options: argparse.Namespace) -> Iterable[dict[str, Any]]:
    """The records; raises ConfigError, before any file is touched, where a route or source was named and nothing is of it."""
    first = next(found, None)
    asked = [f"{name} {value!r}" for name in ("route", "source") if (value := getattr(options, name)) is not None]
    if first is None and asked:
        raise ConfigError(f"outcomes export: the store has no labelled outcome of {' and '.join(asked)}", param=asked[0].split()[0])
    return () if first is None else chain([first], found)


def _write(path: Path, found: Iterable[dict[str, Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as out:
        for count, record in enumerate(found, 1):  # the last number is the total
            out.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")
            if count % _EVERY == 0:
                print(f"{count} records", file=sys.stderr)
    return count


def _where(options: argparse.Namespace) -> tuple[str, Path]:
    if options.config is None:
        return options.url, Path.cwd()
    settings = load(options.config)
    if settings.outcomes is None:
        raise ConfigError(f"{options.config}: outcomes: no store is configured", param="outcomes")
    return settings.outcomes.url, options.config.resolve().parent
