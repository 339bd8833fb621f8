"""The configuration: one YAML file, read once into one frozen Settings; every mistake is a ConfigError that names its key."""

from server.config.engines import AdapterEngine, EmbeddedEngine, EngineSettings, OpenAIEngine, ScriptedEngine, VLLMEngine
from server.config.kept import LogSettings, Outcomes, StoredResponses, TracesSettings
from server.config.plain import Strict, refuse
from server.config.reading import checked, load, parse
from server.config.routes import BudgetSettings, RouteSettings, StricterTarget, Target
from server.config.serving import Access, Internal, Limits, Listen, Tls
from server.config.settings import Settings
from server.config.tiers import HourPrice, TierSettings, TokenPrice

__all__ = [
    "Access",
    "AdapterEngine",
    "BudgetSettings",
    "EmbeddedEngine",
    "EngineSettings",
    "HourPrice",
    "Internal",
    "Limits",
    "Listen",
    "LogSettings",
    "OpenAIEngine",
    "Outcomes",
    "RouteSettings",
    "ScriptedEngine",
    "Settings",
    "StoredResponses",
    "Strict",
    "StricterTarget",
    "Target",
    "TierSettings",
    "Tls",
    "TokenPrice",
    "TracesSettings",
    "VLLMEngine",
    "checked",
    "load",
    "parse",
    "refuse",
]
