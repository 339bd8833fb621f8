"""`smallfirst demo`: sample requests, live."""

import argparse
import sys
from pathlib import Path

from server.commands.parsing import Commands, add_command
from server.config import Settings, load

OWN = Path(__file__).parents[1] / "bundled" / "demo.yaml"
CHECKOUT = Path(__file__).parents[2] / "deploy" / "config" / "demo.yaml"


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(commands, "demo", "serve the bundled models and send sample requests", "smallfirst demo --json", run)
    parser.add_argument("--config", type=Path, default=OWN if OWN.is_file() else CHECKOUT, metavar="F", help="default: the bundled models")
    parser.add_argument("--json", action="store_true", help="a JSON array of rows instead of the table")
    parser.add_argument("--wait", type=float, default=120.0, metavar="SECONDS", help="how long the server may take to start (default: 120)")


def run(options: argparse.Namespace) -> int:
    """Start a server, send the requests with the official client, once to the route and once to its last tier alone; print the rows.

    1 where the server does not get ready in time.
    """
    from openai import OpenAI

    from router.functions import load as load_registry
    from server.demo import REQUESTS, NotReady, as_json, ask, serving, summary, table

    settings = load(options.config)
    model, large = settings.default_route, _largest(settings)
    registry = load_registry(settings.functions or "server.assistant:registry")
    try:
        with (
            serving(options.config, patience=options.wait, tell=_tell) as url,
            OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
        ):
            rows = [ask(client, model, request, registry) for request in REQUESTS]
            always = [] if options.json else [ask(client, large, request, registry) for request in REQUESTS]
    except NotReady as error:
        _tell(f"smallfirst: {error}")
        return 1
    if options.json:
        print(as_json(rows))
    else:
        print(f"{table(rows)}\n\n{summary(rows, always)}", file=sys.stdout)
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _largest(settings: Settings) -> str:
    route = settings.default_route
    return f"{route}/{settings.routes[route].tiers[-1].label}"
