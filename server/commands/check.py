"""`smallfirst check`: say whether a configuration can be served."""

import argparse
from pathlib import Path

from server.commands.parsing import Commands, add_command
from server.config import load


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(commands, "check", "validate a configuration and exit", "smallfirst check --config deploy/config/demo.yaml", run)
    parser.add_argument("--config", type=Path, required=True, metavar="F", help="the YAML configuration")


def run(options: argparse.Namespace) -> int:
    """Build everything that serving would, short of listening; raises ConfigError."""
    settings = load(options.config)
    from server.build import gateway

    gateway(settings, options.config.resolve().parent)
    tiers = ", ".join(f"{name} ({' < '.join(tier.label for tier in route.tiers)})" for name, route in settings.routes.items())
    print(f"{options.config}: fine; routes {tiers}")
    return 0
