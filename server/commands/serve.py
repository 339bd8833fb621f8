"""`smallfirst serve`: answer requests until told to stop."""

import argparse
from pathlib import Path

from server.commands.parsing import Commands, add_command, at_least_one
from server.config import Settings, checked, load
from server.draining import leave_when_told


def add(commands: Commands) -> None:
    """Register the command."""
    example = "smallfirst serve --config deploy/config/demo.yaml --port 8080"
    parser = add_command(commands, "serve", "serve the configured routes", example, run)
    parser.add_argument("--config", type=Path, required=True, metavar="F", help="the YAML configuration")
    parser.add_argument("--host", help="instead of listen.host")
    parser.add_argument("--port", type=int, help="instead of listen.port")
    parser.add_argument("--tls-cert", metavar="F", help="instead of listen.tls.certificate: PEM, with its chain")
    parser.add_argument("--tls-key", metavar="F", help="instead of listen.tls.key")
    parser.add_argument("--workers", type=at_least_one, default=1, metavar="N", help="processes that share the port")


def run(options: argparse.Namespace) -> int:
    """Serve; returns the exit code, raises ConfigError."""
    leave_when_told()
    settings = overridden(load(options.config), options.host, options.port, (options.tls_cert, options.tls_key))
    from server.serving import serve

    serve(options.config, settings, options.workers)
    return 0


def overridden(settings: Settings, host: str | None, port: int | None, tls: tuple[str | None, str | None] = (None, None)) -> Settings:
    """The settings with the command line's address and its certificate and key, checked again; raises ConfigError."""
    given: dict[str, object] = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    encrypted = {name: str(Path(value).resolve()) for name, value in zip(("certificate", "key"), tls, strict=True) if value is not None}
    if encrypted:
        known = settings.listen.tls.model_dump() if settings.listen.tls else {}
        given["tls"] = known | encrypted
    return checked(settings.model_dump() | {"listen": settings.listen.model_dump() | given})
