"""What is settled about a request before its first attempt: which tiers are open to it, and which of many tools they are shown."""

from collections.abc import Callable, Mapping
from dataclasses import field, replace

from router.gate import TierState, decide, fits
from router.loops import going_on
from router.policy import too_late
from router.ports import Engine
from router.ranking import Ranker
from router.retrieval import last_words, narrows
from router.route import Route
from router.rung import Rung
from router.types import Budget, Decision, GenerationRequest, Tab, Tier
from router.types.records import record


@record(slots=True)
class Opening:
    """`started` is when the request arrived; the `clock`, `available`, `usual` and `language` are those of the cascade."""

    route: Route
    engines: Mapping[str, Engine]
    request: GenerationRequest
    clock: Callable[[], float]
    started: float
    available: Callable[[str], bool]
    usual: Callable[[str], float | None]
    language: Callable[[str], str | None]
    decision: Decision = field(default=Decision(()))
    asked: Tab = field(default_factory=Tab)
    """What guards and retrievers took."""
    ranked: tuple[str, ...] = ()
    """The tools, likeliest first, where somebody knows better than their words tell."""
    tight: set[str] = field(default_factory=set)
    """Tiers whose context is too short for all tools."""
    _guarded: frozenset[str] = frozenset()

    async def settle(self) -> None:
        """Ask the guards, decide, rank, once; raises SmallfirstError where no tier is open."""
        if self.decision.permitted:
            return
        if self.route.guards:
            await self._guard()
        self.decision = self._decide()
        if self.route.ranker is not None:
            await self._rank(self.route.ranker)

    async def _guard(self) -> None:
        names = [tier.name for tier in self.route.tiers]
        for guard in self.route.guards:
            found = await guard.inspect(self.request, names, self.asked)
            self._guarded |= found.closed

    def _decide(self) -> Decision:
        route, request = self.route, self.request
        tiers = route.tiers if request.pinned else route.candidates
        language = self.language(last_words(request)) if route.speaks else None
        learned = request.pinned is None and route.difficulty is not None and route.difficulty.hopeless(request)
        looping = None if route.mode == "shadow" else going_on(request.messages, tiers)
        states = {}
        for tier in tiers:
            states[tier.name] = self._state(tier, language)
        decision = decide(request, tiers, states, hopeless=learned, looping=looping)
        return decision if request.target is None else replace(decision, why=f"{decision.why}; held to the target {request.target}")

    async def _rank(self, ranker: Ranker) -> None:
        """Where a smaller tier is to be shown few of many tools, ask which."""
        contract = self.request.contract
        smaller = map(self.route.named.__getitem__, self.decision.permitted[:-1])
        if any(narrows(contract, tier.keep_tools or 0) for tier in smaller):
            self.ranked = tuple(await ranker.rank(self.request, contract.tools, self.asked) or ())

    def _state(self, tier: Tier, language: str | None) -> TierState:
        engine, request, tokens = self.engines[tier.engine], self.request, 0
        if tier.context is not None:
            rung, tokens = lasting(self.route, tier, request, engine)
            if rung.tight:
                self.tight.add(tier.name)
        late = request.budget.deadline is not None and self._late(tier, request.budget)
        foreign = language is not None and tier.languages is not None and language not in tier.languages
        supported = engine.supports(request.contract)
        return TierState(tokens, self.available(tier.engine), supported, tier.name in self._guarded, late, foreign)

    def _late(self, tier: Tier, budget: Budget) -> bool:
        return too_late(budget, self.route.rules, self.usual(tier.name), self.clock() - self.started)


def lasting(route: Route, tier: Tier, request: GenerationRequest, engine: Engine) -> tuple[Rung, int]:
    """The tier as it answers where there is nothing to defer to, and the tokens of its prompt, 0 where it has no bound.

    It is shown every tool, or where that is too long and it is a smaller one those that it would be shown at any place.
    """
    whole = Rung(route, tier, request, last=True)
    if tier.context is None:
        return whole, 0
    tokens = _counted(whole, engine)
    smaller = tier is not route.tiers[-1] and narrows(request.contract, tier.keep_tools or 0)
    if not smaller or fits(request, tier, tokens):
        return whole, tokens
    tight = replace(whole, tight=True)
    return tight, _counted(tight, engine)


def _counted(rung: Rung, engine: Engine) -> int:
    return engine.prompt_tokens(rung.call(rung.request.messages))
