"""`smallfirst check`: say whether a configuration can be served."""

import argparse
import sys
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
    from server.build import gateway, notices

    folder = options.config.resolve().parent
    gateway(settings, folder, write=lambda line: None)
    for name, sentences in notices(settings, folder).items():
        for sentence in sentences:
            print(f"warning: route {name}: {sentence}", file=sys.stderr)
    tiers = ", ".join(f"{name} ({' < '.join(tier.label for tier in route.tiers)})" for name, route in settings.routes.items())
    print(f"{options.config}: fine; routes {tiers}")
    return 0
