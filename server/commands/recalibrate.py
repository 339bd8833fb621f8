"""`smallfirst recalibrate`: fit a route again from the labels of its own outcomes."""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from router.errors import ConfigError
from server.commands.fit import tell
from server.commands.parsing import Commands, add_command, at_least_one, positive
from server.commands.recorded import refusals, say
from server.config import load
from server.observers.outcomes.ports import Source

if TYPE_CHECKING:
    from server.recalibrating import Plan


def add(commands: Commands) -> None:
    """Register the command."""
    example = "smallfirst recalibrate --config smallfirst.yaml --route auto --days 30"
    purpose = "fit a route again from the labels of its outcomes; running workers follow"
    parser = add_command(commands, "recalibrate", purpose, example, run)
    parser.add_argument("--config", type=Path, required=True, metavar="F", help="the YAML configuration, with an outcome store")
    parser.add_argument("--route", help="this route only; default: every one that has a calibration")
    parser.add_argument("--target", metavar="T", help="this stricter target of the route only; default: its own and every stricter one")
    parser.add_argument(
        "--days", type=positive, metavar="D", help="use the labels of so many last days; default: the route's recalibrate.days"
    )
    parser.add_argument("--least", type=at_least_one, metavar="N", help="refuse fewer labels; default: the route's recalibrate.least")
    parser.add_argument("--source", choices=[*get_args(Source), "all"], help="only labels of this source; default: the route's")
    parser.add_argument("--out", type=Path, metavar="ARTIFACT", help="write a file, and leave the store and its workers as they are")


def run(options: argparse.Namespace) -> int:
    """Fit each route; raises ConfigError where the configuration or the labels do not allow it."""
    from server.build import Calibrations, plans
    from server.observers.outcomes.address import engine
    from server.observers.outcomes.database import Database
    from server.observers.outcomes.ports import StoreLost
    from server.recalibrating import adopt, refit

    settings, folder = load(options.config), options.config.resolve().parent
    if settings.outcomes is None:
        raise ConfigError(f"{options.config}: outcomes: no store is configured", param="outcomes")
    if options.route is not None and options.route not in settings.routes:
        raise ConfigError(f"{options.config}: there is no route {options.route!r}", param="routes")
    known = Calibrations(folder)
    found = [each for name, route in settings.routes.items() if options.route in (None, name) for each in plans(name, route, known)]
    if options.target is not None and not any(each.target == options.target for each in found):
        raise ConfigError(f"{options.config}: no such route has a target {options.target!r}", param="targets")
    chosen = [_changed(each, options) for each in found if _meant(each, options)]
    if not chosen or (options.out is not None and len(chosen) > 1):
        raise ConfigError(
            "--out takes one route, name it by --route" if chosen else "no such route has a confidence verifier with a calibration"
        )
    store, now = Database(engine(settings.outcomes.url, folder)), time.time()
    try:
        for each in chosen:
            with refusals():
                artifact = refit(store, each, now, say)
                tell(artifact)
                if options.out is None:
                    adopt(store, each, artifact, now)
                else:
                    artifact.save(options.out)
            say(f"{options.out}: written" if options.out else f"route {each.name}: in the store, workers follow within seconds")
    except StoreLost as error:
        raise ConfigError(f"recalibrate: {error}") from error
    finally:
        store.close()
    return 0


def _meant(each: "Plan", options: argparse.Namespace) -> bool:
    """A file holds one calibration: the route's own where no target is named."""
    return each.target == options.target if options.target is not None or options.out is not None else True


def _changed(each: "Plan", options: argparse.Namespace) -> "Plan":
    """The plan with what the command line says otherwise."""
    source = each.source if options.source is None else None if options.source == "all" else options.source
    days = each.days if options.days is None else options.days
    return replace(each, days=days, least=each.least if options.least is None else options.least, source=source)
