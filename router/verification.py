"""Verifiers in order, cheapest first, until one rules against the draft."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast, get_args

from router.policy import Rules
from router.ports import Verifier
from router.types import HARD_GATES, Draft, Evidence, Reason, Ruling, Tab, Verdict, together
from router.types.records import record

_REASONS = frozenset(get_args(Reason))
AGAINST = frozenset({Ruling.DEFER, Ruling.UNABLE})
"""What ends the walk."""
CANCELLED = "cancelled"
"""The reason of a verdict that nobody waited for."""


@record(frozen=True, slots=True)
class Verification:
    """All verdicts given, and why the draft is not kept (`None`: it is)."""

    verdicts: tuple[Verdict, ...]
    deferral: Reason | None


async def verify(
    verifiers: Sequence[Verifier], draft: Draft, rules: Rules, note: Callable[[Verdict], object] = lambda verdict: None
) -> Verification:
    """Ask each verifier in turn; the first `DEFER` or `UNABLE` ends the walk, an accept only lets the next one speak.

    `note` hears each verdict at once: where the walk is cancelled nothing is returned, and what was spent on it is owed all the same.
    """
    verdicts: list[Verdict] = []
    kept = draft.last or rules.when_all_abstain == "accept"
    for verifier in verifiers:
        if draft.tab.cost or draft.tab.energies:
            draft = replace(draft, tab=Tab())  # what an earlier verifier spent is its own verdict's
        try:
            verdict = await verifier.judge(draft)
        except asyncio.CancelledError:
            _owed(verifier, draft.tab, note)
            raise
        verdicts.append(verdict)
        note(verdict)
        if verdict.ruling in AGAINST:
            return Verification(tuple(verdicts), reason(verdict, draft))
        kept = kept or verdict.ruling is Ruling.ACCEPT
    return Verification(tuple(verdicts), None if kept else "abstain")


def _owed(verifier: Verifier, tab: Tab, note: Callable[[Verdict], object]) -> None:
    """Tell what a verifier spent that nobody waits for any more."""
    if not tab.clean:
        note(Verdict(verifier.kind, Ruling.NOT_APPLICABLE, CANCELLED, cost=tab.cost, usage=tab.usage, energy=together(tab.energies)))


def applicable(verifiers: tuple[Verifier, ...], *, last: bool) -> tuple[Verifier, ...]:
    """Those that may speak: all of them, or on the last permitted tier, with nothing left to defer to, the hard gates alone."""
    return tuple([verifier for verifier in verifiers if verifier.kind in HARD_GATES]) if last else verifiers


def evidence(verifiers: Sequence[Verifier]) -> Evidence:
    """The union of what those verifiers need, asked of the engine once."""
    needed = Evidence.NONE
    for verifier in verifiers:
        needed |= verifier.needs
    return needed


def reason(verdict: Verdict, draft: Draft) -> Reason:
    """The closed-set name of a ruling against a draft: its verifier's, `length` for a cut, `abstain` for what could not be ruled on."""
    if verdict.ruling is Ruling.UNABLE:
        return "abstain"
    if verdict.verifier == "contract" and draft.choice.finish_reason == "length":
        return "length"
    return cast(Reason, verdict.verifier) if verdict.verifier in _REASONS else "rule"
