"""Limits that a task or a key lays on its requests: they only ever tighten what the route allows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from router.errors import AccessDenied
from router.types import Budget, GenerationRequest
from router.types.records import record

Number = TypeVar("Number", int, float)


@record(frozen=True, slots=True)
class Limits:
    """The only tiers that may be used (`None`: all), a stricter target of the route by its name, no tier outside, the most to spend."""

    tiers: frozenset[str] | None = None
    target: str | None = None
    inside_only: bool = False
    budget: Budget = Budget()


_NONE = Limits()


def within(request: GenerationRequest, limits: Limits, targets: Sequence[str] = ()) -> GenerationRequest:
    """The request under these limits besides its own: of two the tighter rules.

    `targets` are the route's stricter ones, from loose to strict; AccessDenied where the limits demand one that the route does not have.
    """
    if request.target is None and limits == _NONE:
        return request
    return replace(
        request,
        tiers=_both(request.tiers, limits.tiers),
        target=_stricter(request.target, limits.target, targets),
        inside_only=request.inside_only or limits.inside_only,
        budget=_less(request.budget, limits.budget),
    )


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _stricter(one: str | None, other: str | None, targets: Sequence[str]) -> str | None:
    named = [name for name in (one, other) if name is not None]
    if unknown := next((name for name in named if name not in targets), None):
        raise AccessDenied(f"the target {unknown!r} is demanded, and this route cannot keep it", param="model")
    return max(named, key=targets.index, default=None)


def _less(one: Budget, other: Budget) -> Budget:
    return Budget(_least(one.max_cost, other.max_cost), _least(one.deadline, other.deadline), _least(one.max_attempts, other.max_attempts))


def _least(one: Number | None, other: Number | None) -> Number | None:
    return min((given for given in (one, other) if given is not None), default=None)
