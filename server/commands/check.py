"""`smallfirst check`: say whether a configuration can be served."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from server.commands.parsing import Commands, add_command, at_least_one
from server.config import load


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(commands, "check", "validate a configuration and exit", "smallfirst check --config deploy/config/demo.yaml", run)
    parser.add_argument("--config", type=Path, required=True, metavar="F", help="the YAML configuration")
    parser.add_argument(
        "--workers", type=at_least_one, default=1, metavar="N", help="as it is to be served: several must share what keys used"
    )


def run(options: argparse.Namespace) -> int:
    """Build everything that serving would, short of listening; raises ConfigError."""
    settings = load(options.config)
    from router.compiled import built
    from server.build import Calibrations, gateway, notices
    from server.config.doubtful import doubts
    from server.observers.metrics import MULTIPROCESS
    from server.serving import encryption

    folder = options.config.resolve().parent
    with tempfile.TemporaryDirectory(prefix="smallfirst-") as counts:
        if options.workers > 1:
            os.environ[MULTIPROCESS] = counts
        gateway(settings, folder, write=lambda line: None)
    encryption(settings.listen.tls, folder)
    for name, sentences in notices(settings, Calibrations(folder)).items():
        for sentence in sentences:
            print(f"warning: route {name}: {sentence}", file=sys.stderr)
    for sentence in doubts(settings, folder):
        print(f"warning: {sentence}", file=sys.stderr)
    tiers = ", ".join(f"{name} ({' < '.join(tier.label for tier in route.tiers)})" for name, route in settings.routes.items())
    slow = "" if built("texts") else "; judged in plain Python, for nothing was compiled at installation"
    print(f"{options.config}: fine; routes {tiers}{slow}")
    return 0
