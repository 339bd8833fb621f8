"""The command line `smallfirst`."""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence

from router.errors import ConfigError
from server import commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 2 where the configuration or the command line is wrong."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ConfigError as error:
        print(f"smallfirst: {error.message}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    """Every module of `server.commands` that has `add` is a command."""
    purpose = "An OpenAI-compatible gateway: a small model first, a larger one on evidence."
    parser = argparse.ArgumentParser(prog="smallfirst", description=purpose)
    registered = parser.add_subparsers(metavar="command", required=True)
    for module in pkgutil.iter_modules(commands.__path__):
        found = importlib.import_module(f"{commands.__name__}.{module.name}")
        if add := getattr(found, "add", None):
            add(registered)
    return parser


if __name__ == "__main__":
    sys.exit(main())
