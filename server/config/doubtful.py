"""What a configuration may say and hardly means: it can be served, so each is a warning of `smallfirst check` that names its key."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from server.config.routes import ComponentSettings, RouteSettings
from server.config.settings import Settings

_SCHEME = "sqlite:///"
_FORMS_ALONE = frozenset({"contract", "function", "guard"})
"""Verifiers that never accept prose: the first two judge forms, a guard only objects."""


def doubts(settings: Settings, folder: Path) -> Iterator[str]:
    """Sentences; relative paths start at `folder`."""
    for name, route in settings.routes.items():
        yield from _abstentions(f"routes.{name}.when_all_abstain", route)
        yield from _twins(f"routes.{name}.verifiers", route.verifiers)
        yield from _twins(f"routes.{name}.guards", route.guards)
    kept = [] if settings.outcomes is None else [("outcomes.url", settings.outcomes.url)]
    gone_on_from = [] if settings.responses.url is None else [("responses.url", settings.responses.url)]
    for key, url in (*kept, *gone_on_from):
        if url.startswith(_SCHEME) and (trouble := _unwritable(folder / url.removeprefix(_SCHEME).partition("?")[0])):
            yield f"{key}: {trouble}"


def _abstentions(key: str, route: RouteSettings) -> Iterator[str]:
    """Where the rule can never speak, or speaks on all prose."""
    ruling = next((given.kind for given in route.verifiers if _always_rules(given)), None)
    given, alone = "when_all_abstain" in route.model_fields_set, len(route.tiers) == 1 or route.mode == "off"
    if given and alone:
        yield f"{key}: it is never asked: an answer of the last tier is kept where no hard gate objects"
    elif given and ruling is not None:
        yield f"{key}: it is never asked: a {ruling} verifier rules on every draft"
    elif not alone and _judges_no_prose(route):
        rest = "each smaller tier's draft is paid for and deferred" if route.when_all_abstain == "defer" else "every draft is kept"
        yield f"{key}: it rules on all prose, which no verifier judges: {rest}"


def _judges_no_prose(route: RouteSettings) -> bool:
    return route.mode == "active" and route.gate_limit is None and {given.kind for given in route.verifiers} <= _FORMS_ALONE


def _always_rules(given: ComponentSettings) -> bool:
    """Whether it accepts, defers or is unable, whatever the draft."""
    options = given.options
    match given.kind:
        case "confidence":
            return True
        case "judge":
            return options.get("when_unable", "unable") == "unable"
        case "rule":
            return options.get("when", "true") == "true"
    return False


def _twins(key: str, listed: Sequence[ComponentSettings]) -> Iterator[str]:
    for index, given in enumerate(listed):
        if (first := listed.index(given)) < index:
            yield f"{key}.{index}: it is the same as {key}.{first}, and tells nothing new"


def _unwritable(path: Path) -> str | None:
    """Why a file of a database cannot be written there; its folders are made where they can be."""
    there = next(place for place in (path, *path.parents) if os.access(place, os.F_OK))
    if there != path and not there.is_dir():
        return f"{there} is no folder"
    if there == path and not there.is_file():
        return f"{there} is no file"
    if not os.access(there, os.W_OK if there == path else os.W_OK | os.X_OK):
        return f"{there} cannot be written to"
    return None if there != path or os.access(path.parent, os.W_OK | os.X_OK) else f"{path.parent} cannot be written to"
