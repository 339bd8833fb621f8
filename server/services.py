"""What this process offers to the components that run in it."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from router.errors import ConfigError
from router.ports import Engine

if TYPE_CHECKING:
    from server.posting import HttpPost


@dataclass(frozen=True)
class ProcessServices:
    """Fills the port `Services`; `outsiders` are the engines with which data leaves the building; `close` ends its connections."""

    engines: Mapping[str, Engine]
    outsiders: frozenset[str]
    environment: Mapping[str, str] = field(repr=False)

    @cached_property
    def post(self) -> "HttpPost":
        """Made when first asked for: most configurations post nothing, and its library takes long to import."""
        from server.posting import HttpPost

        return HttpPost()

    async def close(self) -> None:
        """Close what was opened."""
        if "post" in self.__dict__:
            await self.post.close()

    def engine(self, name: str) -> Engine:
        """A configured engine; raises ConfigError."""
        if name not in self.engines:
            raise ConfigError(f"there is no engine {name!r}", param="engine")
        return self.engines[name]

    def outside(self, engine: str) -> bool:
        """Whether any tier says that this engine is outside."""
        return engine in self.outsiders

    def secret(self, env_name: str) -> str:
        """An environment variable; raises ConfigError where it is not set."""
        if not self.environment.get(env_name):
            raise ConfigError(f"the environment variable {env_name} is not set")
        return self.environment[env_name]

    def load(self, dotted: str) -> object:
        """The object at `package.module:name`; raises ConfigError."""
        module, _, name = dotted.partition(":")
        try:
            found: object = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigError(f"{dotted!r} cannot be imported ({error})") from error
        return found
