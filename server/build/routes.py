"""Routes: their tiers, verifiers and guards."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from router.asking import Rate
from router.calibration.artifact import Artifact
from router.calibration.tightened import tightened
from router.early import Early
from router.gated import Gated
from router.policy import Rules
from router.ports import Verifier
from router.ranking import Likeness
from router.registry import guards, verifiers
from router.route import Route
from router.schemafirst import Taught
from router.types import Price, SchemaFirst, Tier
from router.verifiers.contract import ContractVerifier
from server.build.calibrated import hold_to_target, stricter_of
from server.build.running import Surroundings
from server.config import HourPrice, RouteSettings, StricterTarget, Target, TierSettings, refuse

_NONE: Mapping[str | None, Artifact] = MappingProxyType({})


def built_route(
    name: str, route: RouteSettings, around: Surroundings, floor: Callable[[], float] | None, newer: Mapping[str | None, Artifact] = _NONE
) -> Route:
    """The route; `newer` stand in place of the configured calibrations: of the stricter targets by name, of its own under `None`."""
    key = f"routes.{name}"
    artifacts = [around.calibrations.of(f"{key}.verifiers.{index}", given.options) for index, given in enumerate(route.verifiers)]
    first = next(filter(None, artifacts), None)
    artifacts = [newer.get(None, artifact) if artifact is not None and _same(artifact, first) else artifact for artifact in artifacts]
    for artifact in filter(None, artifacts):
        hold_to_target(f"{key}.target", route.target, artifact)
    held = _judges(key, route, artifacts, around, floor)
    rules = Rules(route.repair, route.when_all_abstain, route.when_exhausted, route.reserve, route.hedge_after)
    tiers = tuple(built_tier(tier, around) for tier in route.tiers)
    learned = next(filter(None, artifacts), None)
    before = tuple(
        guards.build(given.options, f"{key}.guards.{index}", services=around.services) for index, given in enumerate(route.guards)
    )
    gate = Gated(route.gate_tokens, route.gate_limit) if route.commit == "gated" else None
    hopeless = route.hopeless
    early = Early(hopeless.limit, hopeless.after, hopeless.tokens) if hopeless is not None else None
    strict = {label: _strict(name, label, given, around, newer.get(label)) for label, given in route.stricter}
    targets = {label: _judges(key, route, _under(artifact, route, artifacts), around, floor) for label, artifact in strict.items()}
    taught = None if around.registry is None else Taught(around.registry)
    ranker = _ranker(name, route, around)
    return Route(name, tiers, held, rules, learned, route.mode, before, early, gate, targets, taught, ranker=ranker)


def _ranker(name: str, route: RouteSettings, around: Surroundings) -> Likeness | None:
    given = route.retriever
    if given is None:
        return None
    embedder = around.engines[given.engine].embedder
    if embedder is None:
        refuse(f"routes.{name}.retriever.engine", f"engine {given.engine!r} makes no embeddings")
        return None
    price = Rate(given.price.prompt, given.price.completion, given.price.cached)
    return Likeness(embedder, price, given.timeout, given.location == "outside" or around.services.outside(given.engine))


def _judges(
    key: str, route: RouteSettings, artifacts: Sequence[Artifact | None], around: Surroundings, floor: Callable[[], float] | None
) -> tuple[Verifier, ...]:
    """The route's verifiers under these calibrations, watched where it has a tier to defer to."""
    pairs = enumerate(zip(route.verifiers, artifacts, strict=True))
    built = _gated(_verifier(f"{key}.verifiers.{index}", given.options, artifact, around) for index, (given, artifact) in pairs)
    return built if floor is None or len(route.tiers) == 1 else tightened(built, floor)


def _strict(name: str, label: str, given: StricterTarget, around: Surroundings, newer: Artifact | None) -> Artifact:
    """The configured calibration of a stricter target, or what was fitted in its place, which must keep the same promise."""
    if newer is None:
        return stricter_of(name, label, given, around.calibrations)
    hold_to_target(f"routes.{name}.targets.{label}", Target(max_error=given.max_error, confidence=given.confidence), newer)
    return newer


def _under(stricter: Artifact, route: RouteSettings, artifacts: Sequence[Artifact | None]) -> list[Artifact | None]:
    """The calibrations with that of a stricter target in place of the confidence verifier's."""
    return [stricter if verifier.kind == "confidence" else own for verifier, own in zip(route.verifiers, artifacts, strict=True)]


def _same(one: Artifact, other: Artifact | None) -> bool:
    return other is not None and one.certificate.fingerprint == other.certificate.fingerprint


def _gated(built: Iterable[Verifier]) -> tuple[Verifier, ...]:
    """The request's own form is a hard gate on every route, whether the configuration names it or not."""
    listed = tuple(built)
    return listed if any(verifier.kind == "contract" for verifier in listed) else (ContractVerifier(), *listed)


def _verifier(where: str, options: Mapping[str, object], artifact: Artifact | None, around: Surroundings) -> Verifier:
    """What only the composition root knows is injected."""
    given = options if artifact is None else {**options, "calibration": artifact}
    built: Verifier = verifiers.build(given, where, registry=around.registry, services=around.services)
    return built


def built_tier(tier: TierSettings, around: Surroundings) -> Tier:
    """The rung, with what its engine knows of its context."""
    context = tier.context or around.engines[tier.engine].context
    location = "outside" if around.services.outside(tier.engine) else tier.location  # one route's word on an engine holds on all
    first = None if tier.first is None else SchemaFirst(tier.first.examples, tier.first.proven)
    return Tier(tier.label, tier.engine, price_of(tier), context, tier.modalities, location, tier.keep_tools, tier.languages, first)


def price_of(tier: TierSettings) -> Price:
    """What its calls cost."""
    return (
        Price(hour=tier.price.hour)
        if isinstance(tier.price, HourPrice)
        else Price(tier.price.prompt, tier.price.completion, cached=tier.price.cached)
    )
