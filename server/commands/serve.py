"""`smallfirst serve`: answer requests until told to stop."""

import argparse
from pathlib import Path

from server.commands.parsing import Commands, add_command
from server.config import Settings, checked, load
from server.draining import leave_when_told


def add(commands: Commands) -> None:
    """Register the command."""
    example = "smallfirst serve --config deploy/config/demo.yaml --port 8080"
    parser = add_command(commands, "serve", "serve the configured routes", example, run)
    parser.add_argument("--config", type=Path, required=True, metavar="F", help="the YAML configuration")
    parser.add_argument("--host", help="instead of listen.host")
    parser.add_argument("--port", type=int, help="instead of listen.port")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that share the port")


def run(options: argparse.Namespace) -> int:
    """Serve; returns the exit code, raises ConfigError."""
    leave_when_told()
    settings = overridden(load(options.config), options.host, options.port)
    from server.serving import serve

    serve(options.config, settings, options.workers)
    return 0


def overridden(settings: Settings, host: str | None, port: int | None) -> Settings:
    """The settings with the command line's address, checked again; raises ConfigError."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    return checked(settings.model_dump() | {"listen": settings.listen.model_dump() | given})
