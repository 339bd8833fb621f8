"""The file of keys: YAML with hashes, read at start and again whenever it changes, written by `smallfirst keys`."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from router.errors import ConfigError
from server.access.keys import Allowance, Key, Keyring, Period, Secret

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
HEAD = "# API keys, by name: no key stands here, only hashes. `smallfirst keys --help` says how to change it.\n"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SecretEntry(_Strict):
    """One secret's hash; two may be valid at once, so that clients can change over."""

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}$")]
    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    created: AwareDatetime | None = None
    expires: AwareDatetime | None = None

    @property
    def secret(self) -> Secret:
        """As it is compared."""
        return Secret(self.id, bytes.fromhex(self.hash), self.expires.timestamp() if self.expires else None)


class AllowanceEntry(_Strict):
    """What may be spent in a period."""

    usd: Annotated[float, Field(ge=0)] | None = None
    tokens: Annotated[int, Field(ge=0)] | None = None


class KeyEntry(_Strict):
    """What one key may do; what is not said is not limited."""

    secrets: tuple[SecretEntry, ...] = ()
    admin: bool = False
    routes: frozenset[str] | None = None
    tiers: frozenset[str] | None = None
    rate: Annotated[int, Field(ge=1)] | None = None
    budgets: Mapping[Period, AllowanceEntry] = {}
    residency: Literal["inside"] | None = None
    target: Name | None = None

    def key(self, name: str) -> Key:
        """The key of that name."""
        budgets = {period: Allowance(given.usd, given.tokens) for period, given in self.budgets.items()}
        return Key(name, self.admin, self.routes, self.tiers, self.rate, budgets, self.residency == "inside", self.target)


class Entries(_Strict):
    """The whole file."""

    keys: Mapping[Name, KeyEntry] = {}

    @property
    def ring(self) -> Keyring:
        """The keys as they are looked for."""
        return Keyring.of((entry.key(name), (given.secret for given in entry.secrets)) for name, entry in self.keys.items())


def load(path: Path) -> Entries:
    """Read a file of keys; raises ConfigError naming the field."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = Entries.model_validate({} if document is None else document)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}", param="access.keys_file") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{path}: {where}: {first['msg']}", param=where) from error
    ids = [given.id for entry in found.keys.values() for given in entry.secrets]
    if twice := next((one for one in ids if ids.count(one) > 1), None):
        raise ConfigError(f"{path}: the id {twice} stands twice", param="keys")
    return found


def save(path: Path, entries: Entries) -> None:
    """Write the file whole or not at all, for its owner alone; raises ConfigError."""
    told = {name: _told(entry) for name, entry in entries.keys.items()}
    text = HEAD + yaml.safe_dump({"keys": told}, sort_keys=False, allow_unicode=True)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error}", param="access.keys_file") from error


def now() -> datetime:
    """In whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


class KeyFile:
    """The keys of a file, which `follow` reads again when it changes; one that cannot be read leaves the old keys in force.

    `check` raises ConfigError for keys that do not fit the configuration; `log` takes sentences.
    """

    def __init__(self, path: Path, check: Callable[[Entries], None], log: Callable[[str], object], every: float = 2.0) -> None:
        self._path, self._check, self._log, self._every = path, check, log, every
        self._seen = self._stamp()
        self.ring = self._read()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Follow the file in the background of the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def close(self) -> None:
        """Follow it no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def refresh(self) -> None:
        """Read it again if it has changed."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self.ring = self._read()
            self._log("the file of keys was read again")
        except ConfigError as error:
            self._log(f"the keys in force stay, for the file of keys is not valid: {error.message}")

    def _read(self) -> Keyring:
        found = load(self._path)
        self._check(found)
        return found.ring

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await asyncio.to_thread(self.refresh)


def _told(entry: KeyEntry) -> dict[str, object]:
    """Plain data without what is not said, sets in order."""
    said = entry.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    for name in ("routes", "tiers"):
        if name in said:
            said[name] = sorted(said[name])
    return said
