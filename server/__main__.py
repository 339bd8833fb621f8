"""The command line `smallfirst`."""

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence

from router.errors import ConfigError
from server import commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    2 where the configuration or the command line is wrong, 130 where the user stops it, 1 where the standard output takes no more.
    """
    try:
        options = _parser().parse_args(arguments)
        code = int(options.run(options))
        sys.stdout.flush()
    except ConfigError as error:
        return _end(error.message, 2)
    except KeyboardInterrupt:
        return _end("interrupted", 130)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter tries once more at its end
        return _end(str(error), 1)
    return code


def _end(why: str, code: int) -> int:
    print(f"smallfirst: {why}", file=sys.stderr)
    return code


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
