"""One tier as one request meets it: what it is shown, how far its draft may be seen, what the draft is held to."""

from collections.abc import Callable
from dataclasses import field, replace

from router.early import Early
from router.gated import Gated
from router.ports import Verifier
from router.retrieval import asked_text, narrow, none_fits
from router.route import Route
from router.schemafirst import FORMS, guide
from router.types import (
    HARD_GATES,
    Attempt,
    Choice,
    Contract,
    Draft,
    EngineCall,
    Evidence,
    Generation,
    GenerationRequest,
    Message,
    Reason,
    SchemaFirst,
    Tier,
    Verdict,
)
from router.types.records import record
from router.verification import AGAINST, verify


@record(slots=True)
class Rung:
    """`last` says that there is nothing to defer to after it, so that only the hard gates may reject.

    `ranked` are the request's tools, the likeliest first, where somebody knows that better than their words tell. A `tight` tier has no
    room for all tools, so that it is shown the likely ones even where it is the last.
    """

    route: Route
    tier: Tier
    request: GenerationRequest
    last: bool = False
    ranked: tuple[str, ...] = ()
    tight: bool = False
    judges: tuple[Verifier, ...] = field(init=False)
    """Those that may speak here."""
    needs: Evidence = field(init=False)
    """What they must be given."""
    contract: Contract = field(init=False)
    """What it is held to: of many tools a small tier is shown the likely ones."""
    live: bool = field(init=False)
    """Whether its text may be shown as it comes."""
    gate: Gated | None = field(init=False)
    """The gate before its prose; a shadowed draft is never shown, and on the last tier there is nothing to defer to."""
    early: Early | None = field(init=False)
    """When to give up its draft; on the last tier there is nothing to give it up for."""
    guide: str = field(init=False)
    """What it reads first, "" where it is not prompted schema-first; a repair begins with the same words, for the prefix cache."""

    def __post_init__(self) -> None:
        request, route, early = self.request, self.route, self.route.early
        self.judges, self.needs = route.judges(request.target, last=self.last)
        keep = None if self.last and not self.tight else self.tier.keep_tools
        self.contract = request.contract if keep is None else narrow(request.contract, asked_text(request), keep, self.ranked)
        prose = request.stream and request.contract.kind == "none" and request.sampling.n == 1  # which alone can be shown in pieces
        self.live = prose and self.last and route.live_text
        self.gate = route.gated if prose and not self.last and route.mode != "shadow" else None
        self.early = None if early is None or self.last or not early.watches(request.contract) else early
        self.guide = "" if self.tier.schema_first is None else self._guide(self.tier.schema_first)

    def _guide(self, first: SchemaFirst) -> str:
        shown = self.contract
        if shown.kind not in FORMS:
            return ""
        sources = (self.route.taught, first.examples), (self.route.proven, first.proven)
        picked = (source.pick(self.request, shown, most, self.tier.name) for source, most in sources if source)
        return guide(shown, [one for some in picked for one in some])

    def call(self, messages: tuple[Message, ...], seconds: float | None = None) -> EngineCall:
        """What its engine is asked; `seconds` is all the time there is for it."""
        needed, gate, early = self.needs, self.gate, self.early
        if gate is not None or (self.route.mode == "shadow" and not self.last):  # a shadow's drafts are what a calibration is made of
            needed |= Evidence.LOGPROBS
        if early is not None:
            needed |= early.needs
        live = self.live or gate is not None or early is not None
        return EngineCall(self.request.id, messages, self.contract, self.request.sampling, needed, live, seconds, self.guide)

    async def judged(self, generation: Generation, repairs: int, verdicts: list[Verdict]) -> tuple[Reason | None, int]:
        """Why it is not kept, and the choice at fault; every one must pass. The verdicts are appended as they come."""
        for index, choice in enumerate(generation.choices):
            draft = self._draft(choice, generation, repairs)
            found = await verify(self.judges, draft, self.route.rules, verdicts.append)
            narrowed = draft.request is not self.request
            if found.deferral is not None or (narrowed and none_fits(self.request.contract, self.contract, choice)):
                return found.deferral or "abstain", index
        return None, 0

    async def gates(self, attempt: Attempt, generation: Generation, repairs: int, note: Callable[[Verdict], object]) -> None:
        """Ask the hard gates that were not reached when an attempt was deferred, of every choice, until one objects; `note` hears them."""
        judges = self.judges
        reached = len(attempt.verdicts) - attempt.at_fault * len(judges)
        for index, choice in enumerate(generation.choices[attempt.at_fault :]):
            left = [judge for judge in judges[0 if index else reached :] if judge.kind in HARD_GATES]
            found = await verify(left, self._draft(choice, generation, repairs), self.route.rules, note)
            if any(verdict.ruling in AGAINST for verdict in found.verdicts):
                return

    def _draft(self, choice: Choice, generation: Generation, repairs: int) -> Draft:
        shown = self.contract
        asked = self.request if shown is self.request.contract else replace(self.request, contract=shown)
        return Draft(asked, self.tier.name, choice, generation.samples, repairs, self.last)
