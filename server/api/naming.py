"""What `model` may say: a route's name, an alias, or `route/tier`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from router.errors import InvalidRequest, UnknownModel
from router.limits import Limits
from router.types import Budget
from router.types.records import record


@record(frozen=True, slots=True)
class Target:
    """A route, and the only tier that may answer where one is pinned."""

    route: str
    pinned: str | None = None


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """A route as the API sees it: tiers from small to large, what a request may spend, engine parameters that all tiers know.

    `keepalive_after` is in seconds; `inside_only` closes the tiers outside to every request. `targets` are the stricter ones, from loose
    to strict, `tasks` the limits of the tasks that a request may name.
    """

    tiers: tuple[str, ...]
    budget: Budget = Budget()
    parameters: frozenset[str] = frozenset()
    keepalive_after: float | None = None
    inside_only: bool = False
    targets: tuple[str, ...] = ()
    tasks: Mapping[str, Limits] = field(default_factory=dict)

    def task(self, metadata: Mapping[str, str]) -> Limits:
        """The limits of the task that `metadata` names; a name that this route does not know would leave it unlimited: InvalidRequest."""
        name = metadata.get("task")
        if name is None or not self.tasks:
            return Limits()
        if name not in self.tasks:
            raise InvalidRequest(f"metadata.task: this route's tasks are {', '.join(self.tasks)}", param="metadata.task")
        return self.tasks[name]


class Names:
    """Everything that `model` may name; exact names and aliases win over the reading as `route/tier`."""

    def __init__(self, routes: Mapping[str, RouteFacts], aliases: Mapping[str, str], default: str) -> None:
        self.routes, self._aliases, self._default = routes, aliases, default
        names = ("auto", *self.listed(), *(f"auto/{tier}" for tier in routes[default].tiers))
        self._targets = {name: target for name in names if (target := self._target(name)) is not None}

    def resolve(self, model: str) -> Target:
        """Raises UnknownModel."""
        found = self._targets.get(model)
        if found is None:
            raise UnknownModel(f"the model {model!r} does not exist; GET /v1/models lists those that do", param="model")
        return found

    def listed(self) -> tuple[str, ...]:
        """Routes, aliases, then every `route/tier`."""
        auto = () if "auto" in self.routes else ("auto",)
        pinned = (f"{route}/{tier}" for route, facts in self.routes.items() for tier in facts.tiers)
        return tuple(dict.fromkeys((*auto, *self.routes, *self._aliases, *pinned)))

    def _target(self, model: str) -> Target | None:
        name = self._aliases.get(model, model) if model not in self.routes else model
        if name in self.routes:
            return Target(name)
        return Target(self._default) if name == "auto" else self._tier(name)

    def _tier(self, name: str) -> Target | None:
        route, slash, tier = name.partition("/")
        route = self._default if route == "auto" and "auto" not in self.routes else route
        known = slash and route in self.routes and tier in self.routes[route].tiers
        return Target(route, tier) if known else None
