"""`smallfirst keys`: make, list, rotate and revoke the API keys of a file."""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from pydantic import ValidationError

from router.errors import ConfigError
from server.access.keyfile import Entries, KeyEntry, SecretEntry, load, now, save
from server.access.keys import made
from server.commands.parsing import Commands, add_command

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_BUDGETS = {
    "day": {"usd": "--day-usd", "tokens": "--day-tokens"},
    "month": {"usd": "--month-usd", "tokens": "--month-tokens"},
}


def add(commands: Commands) -> None:
    """Register the command and its actions."""
    keys = commands.add_parser("keys", help="the API keys of clients", description="Make, list, rotate and revoke API keys.")
    actions = keys.add_subparsers(metavar="action", required=True)
    _add_new(actions)
    listed = add_command(actions, "list", "say what each key may do", "smallfirst keys list --file keys.yaml", show)
    listed.add_argument("--json", action="store_true", help="as one JSON array")
    rotated = add_command(
        actions,
        "rotate",
        "a new secret for a key; the old ones go on for a while",
        "smallfirst keys rotate team-a --file keys.yaml --overlap 7d",
        rotate,
    )
    rotated.add_argument("--overlap", default="7d", metavar="TIME", help="how long the old secrets stay valid; default: %(default)s")
    rotated.add_argument("--expires", metavar="TIME", help="when the new one ends: 90d, or a date")
    revoked = add_command(actions, "revoke", "take a key away, at once", "smallfirst keys revoke team-a --file keys.yaml", revoke)
    revoked.add_argument("--id", help="only this one of its secrets")
    for parser in (rotated, revoked):
        parser.add_argument("name", help="the key's name")
    for parser in (listed, rotated, revoked):
        parser.add_argument("--file", type=Path, required=True, metavar="F", help="the file of keys that `access.keys_file` names")


def _add_new(actions: Commands) -> None:
    example = "smallfirst keys new team-a --file keys.yaml --route auto --rate 600 --day-usd 5"
    parser = add_command(actions, "new", "make a key; it is printed once and kept nowhere", example, new)
    parser.add_argument("name", help="what metrics and logs call it")
    parser.add_argument("--file", type=Path, metavar="F", help="the file of keys to add it to; without one the entry is printed")
    parser.add_argument("--route", action="append", metavar="R", help="a route that it may ask; several times for several, default: all")
    parser.add_argument("--tier", action="append", metavar="T", help="a tier that may answer it; several times for several, default: all")
    parser.add_argument("--admin", action="store_true", help="may read metrics and the dashboard; asks no route unless one is named")
    parser.add_argument("--rate", type=int, metavar="N", help="requests a minute")
    for period, kinds in _BUDGETS.items():
        parser.add_argument(kinds["usd"], type=float, metavar="USD", help=f"dollars a {period}")
        parser.add_argument(kinds["tokens"], type=int, metavar="N", help=f"tokens a {period}")
    parser.add_argument("--inside", action="store_true", help="its requests never leave for a tier outside the building")
    parser.add_argument("--target", metavar="NAME", help="the stricter target of the routes that it is held to")
    parser.add_argument("--expires", metavar="TIME", help="when it ends: 90d, or a date")


def new(options: argparse.Namespace) -> int:
    """Make a key and print it; raises ConfigError."""
    known = load(options.file) if options.file and options.file.exists() else Entries()
    if options.name in known.keys:
        raise ConfigError(f"there is a key {options.name!r} already; `smallfirst keys rotate` gives it a new secret", param="name")
    text, entry = _secret(options.expires)
    changed = _checked({**known.keys, options.name: _entry(options, entry)})
    if options.file:
        save(options.file, changed)
    else:
        told = changed.keys[options.name].model_dump(mode="json", exclude_defaults=True, exclude_none=True)
        print(yaml.safe_dump({options.name: told}, sort_keys=False), file=sys.stderr, end="")
    print(text)
    return 0


def show(options: argparse.Namespace) -> int:
    """Print all keys; raises ConfigError."""
    told = [_row(name, entry) for name, entry in load(options.file).keys.items()]
    if options.json:
        print(json.dumps(told))
        return 0
    for row in told:
        print("  ".join(str(value) for value in (row["name"], row["state"], *_scopes(row))))
    return 0


def rotate(options: argparse.Namespace) -> int:
    """Add a secret, print it, let the others expire; raises ConfigError."""
    known = load(options.file)
    entry = _named(known, options.name)
    text, secret = _secret(options.expires)
    ends = now() + _span(options.overlap)
    old = [given.model_copy(update={"expires": min(given.expires or ends, ends)}) for given in entry.secrets]
    _replaced(options, known, entry.model_copy(update={"secrets": (*(one for one in old if not _over(one)), secret)}))
    print(text)
    return 0


def revoke(options: argparse.Namespace) -> int:
    """Take the key away, or one of its secrets; raises ConfigError."""
    known = load(options.file)
    entry = _named(known, options.name)
    if options.id is None:
        save(options.file, _checked({name: other for name, other in known.keys.items() if name != options.name}))
        return 0
    left = tuple(given for given in entry.secrets if given.id != options.id)
    if len(left) == len(entry.secrets):
        raise ConfigError(f"the key {options.name!r} has no secret {options.id!r}", param="id")
    _replaced(options, known, entry.model_copy(update={"secrets": left}))
    return 0


def _replaced(options: argparse.Namespace, known: Entries, entry: KeyEntry) -> None:
    save(options.file, _checked({**known.keys, options.name: entry}))


def _checked(keys: dict[str, KeyEntry]) -> Entries:
    try:
        return Entries(keys=keys)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ConfigError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", param="name") from error


def _named(known: Entries, name: str) -> KeyEntry:
    if name not in known.keys:
        raise ConfigError(f"there is no key {name!r}", param="name")
    return known.keys[name]


def _secret(expires: str | None) -> tuple[str, SecretEntry]:
    text, secret = made()
    return text, SecretEntry(id=secret.id, hash=secret.hash.hex(), created=now(), expires=_until(expires) if expires else None)


def _entry(options: argparse.Namespace, secret: SecretEntry) -> KeyEntry:
    routes = options.route if options.route or not options.admin else []
    given: dict[str, object] = {"secrets": [secret], "admin": options.admin, "rate": options.rate, "target": options.target}
    given |= {"routes": routes, "tiers": options.tier, "residency": "inside" if options.inside else None, "budgets": _budgets(options)}
    try:
        return KeyEntry.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ConfigError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", param=str(first["loc"][0])) from error


def _budgets(options: argparse.Namespace) -> dict[str, dict[str, object]]:
    given = {period: {kind: getattr(options, f"{period}_{kind}") for kind in kinds} for period, kinds in _BUDGETS.items()}
    return {period: kinds for period, kinds in given.items() if any(value is not None for value in kinds.values())}


def _until(text: str) -> datetime:
    """A moment: a date, or so long from now."""
    if re.fullmatch(r"\d+[hdw]", text):
        return now() + _span(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is neither a time such as 12h, 90d, 6w nor a date such as 2030-01-31", param="expires") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _span(text: str) -> timedelta:
    if not re.fullmatch(r"\d{1,4}[hdw]", text):
        raise ConfigError(f"{text!r} is no time such as 12h, 90d or 6w", param="overlap")
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def _over(secret: SecretEntry) -> bool:
    return secret.expires is not None and secret.expires <= now()


def _row(name: str, entry: KeyEntry) -> dict[str, object]:
    said = entry.model_dump(mode="json", exclude={"secrets"}, exclude_defaults=True, exclude_none=True)
    secrets = [{"id": one.id, "expires": one.expires.isoformat() if one.expires else None} for one in entry.secrets]
    state = "valid" if any(not _over(one) for one in entry.secrets) else "expired"
    return {"name": name, "state": state, **said, "secrets": secrets}


def _scopes(row: dict[str, object]) -> Sequence[str]:
    return [f"{name}={json.dumps(value, separators=(',', ':'))}" for name, value in row.items() if name not in ("name", "state")]
