"""Who may ask: the keys of the configured file, held against the routes that there are."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from router.errors import ConfigError
from server.access.keyfile import Entries, KeyFile
from server.config import Settings


@dataclass(frozen=True, slots=True)
class Admitting:
    """The keys in force; `start` follows their file in the event loop that serves."""

    file: KeyFile

    def start(self) -> None:
        """Begin to follow."""
        self.file.start()

    async def close(self) -> None:
        """Stop."""
        await self.file.close()


def admitting(settings: Settings, folder: Path, log: Callable[[str], object]) -> Admitting | None:
    """What the configuration says of keys, `None` where everyone may ask; raises ConfigError naming the field of the file."""
    name = settings.access.keys_file
    if name is None:
        return None
    return Admitting(KeyFile(folder / name, lambda entries: _fitting(entries, settings), log))


def _fitting(entries: Entries, settings: Settings) -> None:
    """A key for a route or a tier that is not there would open nothing, or less than was meant."""
    tiers = {tier.label for route in settings.routes.values() for tier in route.tiers}
    for name, entry in entries.keys.items():
        for kind, given, known in (("routes", entry.routes, settings.routes.keys()), ("tiers", entry.tiers, tiers)):
            if unknown := sorted((given or frozenset()) - known):
                raise ConfigError(f"keys.{name}.{kind}: there is no {kind[:-1]} {unknown[0]!r}", param=f"keys.{name}.{kind}")
