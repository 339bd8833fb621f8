"""Components by name: a frozen dataclass whose fields are its options registers under its `kind` and is built from configuration."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from router.errors import ConfigError

Component = TypeVar("Component", bound=type[Any])


class Registry:
    """The known kinds of one port; the modules beside `package` are imported on first use, so a new kind is one new file."""

    def __init__(self, port: str, package: str) -> None:
        self._port, self._package, self._found = port, package, False
        self._kinds: dict[str, type[Any]] = {}

    def register(self, kind: str) -> Callable[[Component], Component]:
        """Decorate a frozen dataclass with its configuration name."""

        def add(component: Component) -> Component:
            component.kind = kind
            self._kinds[kind] = with_config(ConfigDict(extra="forbid", arbitrary_types_allowed=True))(component)
            return component

        return add

    def kinds(self) -> tuple[str, ...]:
        """All names, sorted."""
        self._discover()
        return tuple(sorted(self._kinds))

    def build(self, options: Mapping[str, object], where: str) -> Any:
        """The component that `options["kind"]` names, its options checked; raises ConfigError naming the key under `where`."""
        self._discover()
        kind = options.get("kind")
        if not isinstance(kind, str) or kind not in self._kinds:
            raise ConfigError(f"{where}.kind: {kind!r} is no {self._port}; there are {', '.join(self.kinds())}", param=f"{where}.kind")
        rest = {name: value for name, value in options.items() if name != "kind"}
        try:
            return TypeAdapter(self._kinds[kind]).validate_python(rest)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join([where, *map(str, first["loc"])])
            raise ConfigError(f"{key}: {first['msg']}", param=key) from error

    def _discover(self) -> None:
        if not self._found:
            package = importlib.import_module(self._package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self._package}.{module.name}")
            self._found = True


verifiers = Registry("verifier", "router.verifiers")
scores = Registry("score", "router.scores")
