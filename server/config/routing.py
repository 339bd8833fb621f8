"""What must fit together in a route; each check raises a ConfigError that names the key."""

from collections.abc import Mapping

from router.gated import JUDGES
from server.config.engines import EngineSettings, OpenAIEngine
from server.config.kept import Outcomes
from server.config.plain import refuse
from server.config.routes import RouteSettings, StricterTarget
from server.engines.openai.options import OpenAIOptions


def check(name: str, route: RouteSettings, engines: Mapping[str, EngineSettings], outcomes: Outcomes | None) -> None:
    """All but the tiers' own names and engines, which must be there."""
    _check_audits(name, route, engines, outcomes)
    _check_gates(name, route)
    _check_targets(name, route)
    _check_tasks(name, route)
    _check_guards(name, route)
    _check_prompts(name, route, engines, outcomes)
    _check_retriever(name, route, engines)
    _check_deadline(name, route)


def check_tiers(name: str, route: RouteSettings, engines: Mapping[str, EngineSettings]) -> None:
    """Every tier has an engine and a name of its own."""
    labels = [tier.label for tier in route.tiers]
    for index, tier in enumerate(route.tiers):
        if tier.engine not in engines:
            refuse(f"routes.{name}.tiers.{index}.engine", f"there is no engine {tier.engine!r}")
        if labels.index(tier.label) < index:
            refuse(f"routes.{name}.tiers.{index}.name", f"a second tier is named {tier.label!r}")


def _check_audits(name: str, route: RouteSettings, engines: Mapping[str, EngineSettings], outcomes: Outcomes | None) -> None:
    if route.audit_judge is not None and route.audit_judge.engine not in engines:
        refuse(f"routes.{name}.audit_judge.engine", f"there is no engine {route.audit_judge.engine!r}")
    if route.audit_judge is not None and not (route.audit or route.mode == "evaluate"):
        refuse(f"routes.{name}.audit_judge", "there is nothing to judge: set audit, the share of kept answers that is audited")
    if outcomes is None and route.recalibrate.hours is not None:
        refuse(f"routes.{name}.recalibrate.hours", "there are no outcomes to fit on: set outcomes.url")
    if outcomes is None and (route.audit or route.mode in ("shadow", "evaluate")):
        key = "audit" if route.audit else "mode"
        refuse(f"routes.{name}.{key}", "what it finds must be kept: set outcomes.url")


def _check_gates(name: str, route: RouteSettings) -> None:
    kinds = {verifier.kind for verifier in route.verifiers}
    gated = route.commit == "gated"
    if gated and (late := sorted(kinds - JUDGES)):
        refuse(f"routes.{name}.commit", f"gated shows prose before {late[0]} can judge it: use verified")
    if gated and route.gate_limit is None and "confidence" not in kinds:
        refuse(f"routes.{name}.gate_limit", "gated needs a limit, or a confidence verifier that judges the beginning")


def _check_targets(name: str, route: RouteSettings) -> None:
    """From loose to strict they tighten the route's own; of two, one is the stricter in everything."""
    before = StricterTarget(max_error=route.target.max_error, confidence=route.target.confidence, calibration="")
    if route.targets and not any(verifier.kind == "confidence" for verifier in route.verifiers):
        refuse(f"routes.{name}.targets", "they need a confidence verifier, whose threshold they tighten")
    if route.targets and route.target.max_cost is not None:
        refuse(f"routes.{name}.targets", "this route's target is a cost, which promises nothing on the error")
    for label, given in route.stricter:
        if given.max_error > before.max_error or given.confidence < before.confidence:
            refuse(f"routes.{name}.targets.{label}", "it is looser than another target of this route, in error or in confidence")
        before = given


def _check_tasks(name: str, route: RouteSettings) -> None:
    labels = {tier.label for tier in route.tiers}
    for task, given in route.tasks.items():
        if unknown := sorted((given.tiers or frozenset()) - labels):
            refuse(f"routes.{name}.tasks.{task}.tiers", f"this route has no tier {unknown[0]!r}")
        if given.target is not None and given.target not in route.targets:
            refuse(f"routes.{name}.tasks.{task}.target", f"routes.{name}.targets has no {given.target!r}")


def _check_guards(name: str, route: RouteSettings) -> None:
    labels = {tier.label for tier in route.tiers}
    for index, guard in enumerate(route.guards):
        allowed = guard.options.get("allow")
        for tier in allowed if isinstance(allowed, list) else []:
            if isinstance(tier, str) and tier not in labels:
                refuse(f"routes.{name}.guards.{index}.allow", f"this route has no tier {tier!r}")


def _check_prompts(name: str, route: RouteSettings, engines: Mapping[str, EngineSettings], outcomes: Outcomes | None) -> None:
    for index, tier in enumerate(route.tiers):
        key, engine = f"routes.{name}.tiers.{index}.schema_first", engines[tier.engine]
        if tier.first is not None and isinstance(engine, OpenAIEngine) and engine.tools == "native":
            refuse(key, f"the engine {tier.engine!r} writes its own prompt of tools: set its tools to schema")
        if tier.first is not None and tier.first.proven and (outcomes is None or not outcomes.content):
            refuse(f"{key}.proven", "requests and answers are shown again only where they may be kept: set outcomes.content")


def _check_retriever(name: str, route: RouteSettings, engines: Mapping[str, EngineSettings]) -> None:
    if route.retriever is None:
        return
    engine = engines.get(route.retriever.engine)
    if not isinstance(engine, OpenAIOptions) or not engine.embeddings:
        refuse(f"routes.{name}.retriever.engine", f"{route.retriever.engine!r} is no engine with embeddings: true")
    if not any(tier.keep_tools for tier in route.tiers[:-1]):
        refuse(f"routes.{name}.retriever", "there is nothing to choose: set keep_tools of a smaller tier")


def _check_deadline(name: str, route: RouteSettings) -> None:
    if route.reserve is not None and (route.budget.deadline is None or route.reserve >= route.budget.deadline):
        refuse(f"routes.{name}.reserve", "it is a part of budget.deadline, so that must be longer")
