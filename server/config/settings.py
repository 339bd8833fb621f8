"""The whole configuration, and that its parts fit together."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from server.config import consistency, routing
from server.config.engines import EngineSettings
from server.config.kept import LogSettings, Outcomes, StoredResponses, TracesSettings
from server.config.plain import Name, Strict
from server.config.routes import RouteSettings
from server.config.serving import Access, Limits, Listen
from server.observers.energy.options import EnergyCounter


class Settings(Strict):
    """The whole configuration."""

    engines: Mapping[Name, EngineSettings] = Field(min_length=1)
    routes: Mapping[Name, RouteSettings] = Field(min_length=1)
    listen: Listen = Listen()
    access: Access = Access()
    limits: Limits = Limits()
    default_route: str = "auto"
    aliases: Mapping[str, str] = {}
    functions: str | None = Field(default=None, pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    outcomes: Outcomes | None = None
    log: LogSettings = LogSettings()
    responses: StoredResponses = StoredResponses()
    energy: tuple[EnergyCounter, ...] = ()
    traces: TracesSettings | None = None
    dashboard: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        for name, route in self.routes.items():
            routing.check_tiers(name, route, self.engines)
        consistency.check_ports(self.engines, self.listen)
        consistency.check_adapters(self.engines)
        consistency.check_names(self.default_route, self.aliases, self.routes)
        for name, route in self.routes.items():
            routing.check(name, route, self.engines, self.outcomes)
        consistency.check_machines(self.routes)
        consistency.check_energy(self.energy, self.engines)
        consistency.check_access(self.access, self.listen)
        return self
