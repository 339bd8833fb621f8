"""The configuration: one YAML file, read once into one frozen Settings; every mistake is a ConfigError that names its key."""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    IPvAnyNetwork,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)

from router.calibration.examples import FEWEST
from router.errors import ConfigError
from router.gated import JUDGES
from server.engines.openai.options import OpenAIOptions
from server.engines.vllm.options import VLLMOptions
from server.locating import foremost
from server.observers.energy.options import EnergyCounter

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A name that is safe as a metric label, in a header and before the slash of `route/tier`."""

Origin = Annotated[str, StringConstraints(pattern=r"^https?://[^/\s?#@]+$")]
"""A page's origin as browsers send it: no path, no slash at the end."""

Ratio = Annotated[float, Field(ge=0, le=1)]
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Strict(BaseModel):
    """Frozen, and an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Drain(Strict):
    """Seconds after SIGTERM: first `delay` in which `/readyz` says no and requests are still taken, then `timeout` to finish them."""

    delay: float = Field(default=0, ge=0, le=600)
    timeout: int = Field(default=30, ge=1, le=3600)


class Internal(Strict):
    """A second address, for metrics, health and the dashboard, none of which are then on the first; no key is asked for on it.

    A wider address than this machine's own needs `open`: whoever can connect may look.
    """

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    open: bool = False


class Tls(Strict):
    """Files in PEM: the certificate with its chain, its private key, and where clients must have certificates who signs those."""

    certificate: str
    key: str
    client_ca: str | None = None


class Listen(Strict):
    """Where to serve, and how many requests may be in flight at once in a process, altogether and of one key.

    A client that takes nothing of its stream for `stall` seconds is taken for gone. What `X-Forwarded-For` and `-Proto` say is believed
    of `proxies` alone, addresses or networks. Pages of `origins`, as `https://app.example`, may ask from a browser; no others may.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    max_concurrency: int = Field(default=256, ge=1)
    max_concurrency_per_key: int | None = Field(default=None, ge=1)
    stall: float = Field(default=60, gt=0, le=3600)
    drain: Drain = Drain()
    internal: Internal | None = None
    tls: Tls | None = None
    proxies: tuple[IPvAnyNetwork, ...] = ()
    origins: tuple[Origin, ...] = ()

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_local(self.host)


def is_local(host: str) -> bool:
    """Whether it is an address, or the name, of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Access(Strict):
    """`keys_file` names the file of keys that clients need; `open` lets everyone in, an Authorization header is then ignored.

    Rates and budgets are counted together with others over the Redis whose URL the variable `redis_env` holds, else through the database
    of the outcomes. While that is lost each process counts alone, or keys with limits are refused (`when_lost: refuse`).
    """

    open: bool = False
    keys_file: str | None = None
    redis_env: str | None = None
    when_lost: Literal["count_alone", "refuse"] = "count_alone"


class Limits(Strict):
    """What one request may contain, and how many seconds its headers and its body may take; beyond it is a clear 4xx before any work.

    `connections` is how many a process keeps; further ones are closed at once.
    """

    connections: int = Field(default=4096, ge=1)
    header_bytes: int = Field(default=32_768, ge=1024, le=1_048_576)
    header_seconds: float = Field(default=10, gt=0, le=600)
    body_seconds: float = Field(default=60, gt=0, le=3600)
    body_bytes: int = Field(default=4_194_304, ge=1024)
    messages: int = Field(default=2048, ge=1)
    tools: int = Field(default=128, ge=1)
    choices: int = Field(default=16, ge=1, le=128)
    schema_depth: int = Field(default=64, ge=1, le=64)


class EmbeddedEngine(Strict):
    """A model of this process on ONNX Runtime; `path` is a folder, or `small` or `large` for the bundled pair."""

    kind: Literal["embedded"]
    path: str
    threads: int = Field(default=2, ge=1)
    queue: int = Field(default=256, ge=0)
    tools_prompt: Literal["names", "full"] = "names"


class OpenAIEngine(OpenAIOptions):
    """A server that speaks OpenAI's protocol; its options are the engine's own, its name is its key in `engines`."""

    kind: Literal["openai"]
    name: Literal[""] = ""

    def named(self, name: str) -> OpenAIOptions:
        """The options under that name."""
        return OpenAIOptions.model_validate(self.model_dump(exclude={"kind"}) | {"name": name})


class VLLMEngine(VLLMOptions):
    """A vLLM server that `smallfirst serve` starts on this machine and keeps running."""

    kind: Literal["vllm"]


class AdapterEngine(Strict):
    """A LoRA adapter of an engine of kind openai or vllm: the same server, `adapter` is the name that it has there."""

    kind: Literal["adapter"]
    of: Name
    adapter: str


class ScriptedEngine(Strict):
    """A test double that gives these replies in turn, the last one for ever."""

    kind: Literal["scripted"]
    replies: tuple[str, ...] = Field(min_length=1)


EngineSettings = Annotated[EmbeddedEngine | OpenAIEngine | VLLMEngine | AdapterEngine | ScriptedEngine, Field(discriminator="kind")]


class TokenPrice(Strict):
    """Dollars per million tokens."""

    prompt: Dollars
    completion: Dollars


class HourPrice(Strict):
    """Dollars per hour of a machine, which the calls that run share by their tokens; `machine` names one that several engines share."""

    hour: Dollars
    machine: Name | None = None


def _paid_by(price: object) -> str:
    return "by_hour" if isinstance(price, HourPrice) or (isinstance(price, Mapping) and "hour" in price) else "by_token"


PriceSettings = Annotated[Annotated[TokenPrice, Tag("by_token")] | Annotated[HourPrice, Tag("by_hour")], Discriminator(_paid_by)]


class SchemaFirstSettings(Strict):
    """`examples` of the functions in the registry, `proven` ones out of earlier answers of the same caller that were vouched for."""

    examples: int = Field(default=2, ge=0, le=16)
    proven: int = Field(default=0, ge=0, le=16)


class TierSettings(Strict):
    """One rung; its name is its engine's unless given. `context` is in tokens, `keep_tools` the most tools that it is shown.

    `schema_first` begins its prompt with a sketch of the form and some examples. With `languages` it is passed over for requests that are
    certainly in another one, unless it is the last; needs the extra `language`.
    """

    engine: str
    price: PriceSettings
    name: Name | None = None
    context: int | None = Field(default=None, ge=1)
    modalities: frozenset[Literal["text", "image", "audio", "file"]] = frozenset({"text"})
    location: Literal["inside", "outside"] = "inside"
    keep_tools: int | None = Field(default=None, ge=1)
    languages: frozenset[Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]] | None = Field(default=None, min_length=1)
    schema_first: bool | SchemaFirstSettings = False

    @property
    def first(self) -> SchemaFirstSettings | None:
        """How its prompt begins, `None` as the engine has it."""
        if isinstance(self.schema_first, SchemaFirstSettings):
            return self.schema_first
        return SchemaFirstSettings() if self.schema_first else None

    @property
    def label(self) -> str:
        """The tier's name."""
        return self.name or self.engine


class ComponentSettings(BaseModel):
    """A verifier or a guard by its kind; the other keys are its own options and checked by it."""

    model_config = ConfigDict(extra="allow", frozen=True)
    kind: str

    @property
    def options(self) -> dict[str, object]:
        """Everything, `kind` included, as the registry takes it."""
        return self.model_dump()


class Target(Strict):
    """What the thresholds of this route must have been fitted to: the share of wrong answers kept, and how sure that bound is.

    With `max_cost` the best quality at a mean cost of so many dollars a request, and no promise on the error.
    """

    max_error: float = Field(default=0.05, gt=0, lt=1)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    max_cost: float | None = Field(default=None, gt=0)


class StricterTarget(Strict):
    """A target that a task or a key may demand, with the calibration that was fitted to it."""

    max_error: float = Field(gt=0, lt=1)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    calibration: str


class BudgetSettings(Strict):
    """What one request may spend: dollars, seconds, attempts (by default twice its tiers and `repair` more)."""

    max_cost: Dollars | None = None
    deadline: float | None = Field(default=None, gt=0)
    max_attempts: int | None = Field(default=None, ge=1)


class TaskSettings(Strict):
    """What a request is held to that names this task in its metadata; it can only tighten what the route allows."""

    tiers: frozenset[str] | None = Field(default=None, min_length=1)
    target: Name | None = None
    residency: Literal["inside"] | None = None
    budget: BudgetSettings = BudgetSettings()


class EarlyAbort(Strict):
    """Which drafts of a smaller tier are stopped while they run, besides those that can no longer keep their contract.

    `limit` is their least running mean log-probability in nats once `after` tokens came, `tokens` how many they may have.
    """

    limit: float | None = Field(default=None, le=0)
    after: int = Field(default=8, ge=1, le=4096)
    tokens: int | None = Field(default=None, ge=1)


class RecalibrateSettings(Strict):
    """Fit again from the labels of the last `days`, every `hours` (never by itself unless given), once there are `least` of them."""

    hours: float | None = Field(default=None, gt=0)
    days: float = Field(default=30.0, gt=0)
    least: int = Field(default=500, ge=FEWEST)
    source: Literal["audit", "feedback", "gold", "all"] = "audit"


class AuditJudgeSettings(Strict):
    """The engine that compares prose in audits, which structure cannot; `timeout` in seconds."""

    engine: str
    price: TokenPrice
    timeout: float = Field(default=30.0, gt=0, le=600)
    max_tokens: int = Field(default=160, ge=32, le=4096)


class RetrieverSettings(Strict):
    """The engine whose vectors say which of many tools a small tier is shown; `timeout` in seconds, after which words decide.

    An engine `outside` is never asked about requests that must stay inside.
    """

    engine: str
    price: TokenPrice
    timeout: float = Field(default=2.0, gt=0, le=60)
    location: Literal["inside", "outside"] = "inside"


class RouteSettings(Strict):
    """A named cascade: tiers from small to large, verifiers from cheap to dear.

    Under `commit: gated` prose is shown after `gate_tokens` tokens whose mean log-probability is at least `gate_limit` nats (by default
    the confidence verifier judges them). `early_abort` stops drafts that have become hopeless, upstream too. After `keepalive_after`
    seconds without an answer a stream is opened with a comment. `residency: inside` closes every tier, judge and service outside; a
    request can ask for the same by `metadata: {"residency": "inside"}`, and never for less. Of `budget.deadline` the last `reserve`
    seconds (half of it) are the last tier's alone. A draft that is not shown as it comes and takes longer than `hedge_after` seconds
    gets the next tier as its rival: the first answer that is kept wins, both are paid for. `targets` are
    stricter than `target`; `tasks` say what requests are held to that name one by `metadata: {"task": …}`. `retriever` ranks many tools.
    `max_concurrency` bounds what is in flight on this route in a process.
    """

    mode: Literal["off", "shadow", "evaluate", "active"] = "active"
    commit: Literal["verified", "gated"] = "verified"
    gate_tokens: int = Field(default=24, ge=1, le=4096)
    gate_limit: float | None = Field(default=None, le=0)
    early_abort: bool | EarlyAbort = False
    residency: Literal["inside"] | None = None
    reserve: float | None = Field(default=None, ge=0)
    hedge_after: float | None = Field(default=None, gt=0)
    max_concurrency: int | None = Field(default=None, ge=1)
    keepalive_after: float | None = Field(default=None, gt=0)
    tiers: tuple[TierSettings, ...] = Field(min_length=1)
    guards: tuple[ComponentSettings, ...] = ()
    verifiers: tuple[ComponentSettings, ...] = ()
    target: Target = Target()
    targets: Mapping[Name, StricterTarget] = {}
    tasks: Mapping[Name, TaskSettings] = {}
    repair: int = Field(default=1, ge=0, le=8)
    when_all_abstain: Literal["defer", "accept"] = "defer"
    when_exhausted: Literal["best", "error"] = "best"
    retriever: RetrieverSettings | None = None
    audit: Ratio = 0.0
    audit_judge: AuditJudgeSettings | None = None
    recalibrate: RecalibrateSettings = RecalibrateSettings()
    budget: BudgetSettings = BudgetSettings()

    @property
    def stricter(self) -> tuple[tuple[str, StricterTarget], ...]:
        """The stricter targets by name, from loose to strict."""
        return tuple(sorted(self.targets.items(), key=lambda named: (-named[1].max_error, named[1].confidence)))

    @property
    def hopeless(self) -> EarlyAbort | None:
        """When a draft is given up, `None` for never."""
        if isinstance(self.early_abort, EarlyAbort):
            return self.early_abort
        return EarlyAbort() if self.early_abort else None


class Outcomes(Strict):
    """Where outcomes are kept, and how many may wait for it; those beyond are lost and counted."""

    url: str
    content: bool = False
    days: float | None = Field(default=90.0, gt=0)
    rows: int | None = Field(default=None, ge=1)
    content_days: float | None = Field(default=None, gt=0)
    queue: int = Field(default=10_000, ge=1)


class LogSettings(Strict):
    """The decision log on the standard output: one line a request; `content` adds prompts and answers."""

    content: bool = False


class StoredResponses(Strict):
    """How long a response may be gone on from: in this process's memory, or with `url` in a database.

    `bytes` bounds all that is held in memory, or each response in a database; with `rows: 0` nothing is stored.
    """

    url: str | None = None
    rows: int = Field(default=10_000, ge=0)
    bytes: int = Field(default=67_108_864, ge=1024)
    days: float = Field(default=30.0, gt=0)


class TracesSettings(Strict):
    """OpenTelemetry spans to an OTLP collector over HTTP; needs the extra `otel`.

    `share` of the requests that no client traces already; `headers_env` names a variable with `name=value` pairs, as for a key.
    """

    endpoint: AnyHttpUrl
    service: str = "smallfirst"
    share: Ratio = 1.0
    timeout: float = Field(default=10.0, gt=0, le=60)
    headers_env: str | None = None


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
        self._check_tiers()
        self._check_ports()
        self._check_adapters()
        self._check_names()
        self._check_audits()
        self._check_gates()
        self._check_targets()
        self._check_tasks()
        self._check_prompts()
        self._check_retrievers()
        self._check_deadlines()
        self._check_machines()
        self._check_energy()
        self._check_access()
        return self

    def _check_access(self) -> None:
        if self.access.open and self.access.keys_file is not None:
            _refuse("access.open", "whoever may ask without a key needs none: leave out open or keys_file")
        if self.access.redis_env is not None and self.access.keys_file is None:
            _refuse("access.redis_env", "it is for the limits of keys: set keys_file")
        if not (self.listen.local or self.access.open or self.access.keys_file is not None):
            told = "is reachable from other machines: set access.keys_file, or say `access: {open: true}`"
            _refuse("listen.host", f"{self.listen.host} {told}")
        internal = self.listen.internal
        if internal is not None and not (internal.open or is_local(internal.host)):
            _refuse("listen.internal.host", f"{internal.host} is reachable from other machines: say `open: true` where that is meant")

    def _check_ports(self) -> None:
        taken = {self.listen.port: "the gateway"}
        for name, engine in self.engines.items():
            if isinstance(engine, VLLMEngine) and (other := taken.setdefault(engine.port, name)) != name:
                _refuse(f"engines.{name}.port", f"{engine.port} is the port of {other} already")

    def _check_adapters(self) -> None:
        for name, engine in self.engines.items():
            if not isinstance(engine, AdapterEngine):
                continue
            base = self.engines.get(engine.of)
            if not isinstance(base, OpenAIEngine | VLLMEngine):
                _refuse(f"engines.{name}.of", f"{engine.of!r} is no engine of kind openai or vllm")
            if isinstance(base, VLLMEngine) and engine.adapter not in base.adapters:
                _refuse(
                    f"engines.{name}.adapter", f"{engine.of!r} has no adapter {engine.adapter!r}: name it in engines.{engine.of}.adapters"
                )

    def _check_names(self) -> None:
        if self.default_route not in self.routes:
            _refuse("default_route", f"there is no route {self.default_route!r}")
        for alias, target in self.aliases.items():
            route, _, tier = target.partition("/")
            if route not in self.routes or (tier and tier not in {rung.label for rung in self.routes[route].tiers}):
                _refuse(f"aliases.{alias}", f"{target!r} is neither a route nor route/tier")

    def _check_audits(self) -> None:
        for name, route in self.routes.items():
            if route.audit_judge is not None and route.audit_judge.engine not in self.engines:
                _refuse(f"routes.{name}.audit_judge.engine", f"there is no engine {route.audit_judge.engine!r}")
            if route.audit_judge is not None and not (route.audit or route.mode == "evaluate"):
                _refuse(f"routes.{name}.audit_judge", "there is nothing to judge: set audit, the share of kept answers that is audited")
            if self.outcomes is None and route.recalibrate.hours is not None:
                _refuse(f"routes.{name}.recalibrate.hours", "there are no outcomes to fit on: set outcomes.url")
            if self.outcomes is None and (route.audit or route.mode in ("shadow", "evaluate")):
                key = "audit" if route.audit else "mode"
                _refuse(f"routes.{name}.{key}", "what it finds must be kept: set outcomes.url")

    def _check_gates(self) -> None:
        for name, route in self.routes.items():
            kinds = {verifier.kind for verifier in route.verifiers}
            gated = route.commit == "gated"
            if gated and (late := sorted(kinds - JUDGES)):
                _refuse(f"routes.{name}.commit", f"gated shows prose before {late[0]} can judge it: use verified")
            if gated and route.gate_limit is None and "confidence" not in kinds:
                _refuse(f"routes.{name}.gate_limit", "gated needs a limit, or a confidence verifier that judges the beginning")

    def _check_targets(self) -> None:
        """From loose to strict they tighten the route's own; of two, one is the stricter in everything."""
        for name, route in self.routes.items():
            before = StricterTarget(max_error=route.target.max_error, confidence=route.target.confidence, calibration="")
            if route.targets and not any(verifier.kind == "confidence" for verifier in route.verifiers):
                _refuse(f"routes.{name}.targets", "they need a confidence verifier, whose threshold they tighten")
            if route.targets and route.target.max_cost is not None:
                _refuse(f"routes.{name}.targets", "this route's target is a cost, which promises nothing on the error")
            for label, given in route.stricter:
                if given.max_error > before.max_error or given.confidence < before.confidence:
                    _refuse(f"routes.{name}.targets.{label}", "it is looser than another target of this route, in error or in confidence")
                before = given

    def _check_tasks(self) -> None:
        for name, route in self.routes.items():
            labels = {tier.label for tier in route.tiers}
            for task, given in route.tasks.items():
                if unknown := sorted((given.tiers or frozenset()) - labels):
                    _refuse(f"routes.{name}.tasks.{task}.tiers", f"this route has no tier {unknown[0]!r}")
                if given.target is not None and given.target not in route.targets:
                    _refuse(f"routes.{name}.tasks.{task}.target", f"routes.{name}.targets has no {given.target!r}")

    def _check_prompts(self) -> None:
        for name, route in self.routes.items():
            for index, tier in enumerate(route.tiers):
                key, engine = f"routes.{name}.tiers.{index}.schema_first", self.engines[tier.engine]
                if tier.first is not None and isinstance(engine, OpenAIEngine) and engine.tools == "native":
                    _refuse(key, f"the engine {tier.engine!r} writes its own prompt of tools: set its tools to schema")
                if tier.first is not None and tier.first.proven and (self.outcomes is None or not self.outcomes.content):
                    _refuse(f"{key}.proven", "requests and answers are shown again only where they may be kept: set outcomes.content")

    def _check_retrievers(self) -> None:
        for name, route in self.routes.items():
            if route.retriever is None:
                continue
            engine = self.engines.get(route.retriever.engine)
            if not isinstance(engine, OpenAIOptions) or not engine.embeddings:
                _refuse(f"routes.{name}.retriever.engine", f"{route.retriever.engine!r} is no engine with embeddings: true")
            if not any(tier.keep_tools for tier in route.tiers[:-1]):
                _refuse(f"routes.{name}.retriever", "there is nothing to choose: set keep_tools of a smaller tier")

    def _check_deadlines(self) -> None:
        for name, route in self.routes.items():
            if route.reserve is not None and (route.budget.deadline is None or route.reserve >= route.budget.deadline):
                _refuse(f"routes.{name}.reserve", "it is a part of budget.deadline, so that must be longer")

    def _check_machines(self) -> None:
        """An engine has one machine and a machine one price, on every route."""
        machines: dict[str, str] = {}
        hours: dict[str, float] = {}
        for name, route in self.routes.items():
            for index, tier in enumerate(route.tiers):
                if not isinstance(tier.price, HourPrice):
                    continue
                machine = tier.price.machine or tier.engine
                if machines.setdefault(tier.engine, machine) != machine:
                    _refuse(f"routes.{name}.tiers.{index}.price.machine", f"{tier.engine!r} runs on {machines[tier.engine]!r} already")
                if hours.setdefault(machine, tier.price.hour) != tier.price.hour:
                    _refuse(f"routes.{name}.tiers.{index}.price.hour", f"the machine {machine!r} costs {hours[machine]:g} already")

    def _check_energy(self) -> None:
        for index, counter in enumerate(self.energy):
            for engine in counter.weights:
                if engine not in self.engines:
                    _refuse(f"energy.{index}.engines", f"there is no engine {engine!r}")

    def _check_tiers(self) -> None:
        for name, route in self.routes.items():
            labels = [tier.label for tier in route.tiers]
            for index, tier in enumerate(route.tiers):
                if tier.engine not in self.engines:
                    _refuse(f"routes.{name}.tiers.{index}.engine", f"there is no engine {tier.engine!r}")
                if labels.index(tier.label) < index:
                    _refuse(f"routes.{name}.tiers.{index}.name", f"a second tier is named {tier.label!r}")


def load(path: Path) -> Settings:
    """Read and check a configuration file; raises ConfigError naming the key."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return parse(text)


def parse(text: str) -> Settings:
    """Check the text of a configuration; raises ConfigError naming the key."""
    try:
        document = yaml.load(text, _UniqueKeys)  # noqa: S506  # a SafeLoader that refuses duplicate keys
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {' '.join(str(error).split())}") from error
    return checked(document)


def checked(document: object) -> Settings:
    """Check a configuration as plain data; raises ConfigError naming the key."""
    if not isinstance(document, dict):
        raise ConfigError("the configuration must be a mapping of keys")
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        detail, location = foremost(error, document)
        key = ".".join(map(str, location))
        message = "unknown key" if detail["type"] == "extra_forbidden" else detail["msg"]
        raise ConfigError(f"{key}: {message}", param=key) from error


def _refuse(key: str, message: str) -> None:
    raise ConfigError(f"{key}: {message}", param=key)


class _UniqueKeys(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys and says nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)
