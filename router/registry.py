"""Components by name: a frozen dataclass whose fields are its options registers under its `kind` and is built from configuration."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from router.errors import ConfigError

Component = TypeVar("Component", bound=type[Any])
Found = TypeVar("Found")


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

    def build(self, options: Mapping[str, object], where: str, **injected: object) -> Any:
        """The component that `options["kind"]` names, its options checked; raises ConfigError naming the key under `where`.

        `injected` fills the fields of these names where the component declares them; as options they are unknown.
        """
        self._discover()
        kind = options.get("kind")
        if not isinstance(kind, str) or kind not in self._kinds:
            raise ConfigError(f"{where}.kind: {kind!r} is no {self._port}; there are {', '.join(self.kinds())}", param=f"{where}.kind")
        rest = {name: value for name, value in options.items() if name != "kind"}
        if forged := sorted(rest.keys() & injected.keys()):
            key = f"{where}.{forged[0]}"
            raise ConfigError(f"{key}: Unexpected keyword argument", param=key)
        declared = {field.name for field in dataclasses.fields(self._kinds[kind])}
        given = {name: value for name, value in injected.items() if name in declared}
        try:
            return TypeAdapter(self._kinds[kind]).validate_python(rest | given)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join([where, *map(str, first["loc"])])
            raise ConfigError(f"{key}: {first['msg']}", param=key) from error
        except ConfigError as error:
            key = f"{where}.{error.param}" if error.param else where
            raise ConfigError(f"{key}: {error.message.removeprefix(f'{error.param}: ')}", param=key) from error

    def _discover(self) -> None:
        if not self._found:
            package = importlib.import_module(self._package)
            for module in pkgutil.iter_modules(getattr(package, "__path__", ())):
                importlib.import_module(f"{self._package}.{module.name}")
            self._found = True


def resolved(option: str, find: Callable[[str], Found], name: str) -> Found:
    """What `find` knows under the name; its ConfigError names the component's option."""
    try:
        return find(name)
    except ConfigError as error:
        raise ConfigError(error.message, param=option) from error


verifiers = Registry("verifier", "router.verifiers")
scores = Registry("score", "router.scores")
guards = Registry("guard", "router.guards")
