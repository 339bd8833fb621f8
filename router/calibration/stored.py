"""The calibration artifact as it is stored: JSON that cannot execute code; unknown versions and keys are refused by name.

format, version      "smallfirst-calibration", 1
certificate          what is promised, on which labels it rests, and when it was fitted
features, parts      the names of the inputs, and the tree ensembles whose mean log-odds is the learned score of "small is wrong"
choice               the size of those trees, and the held-out loss of every size tried
gain                 the same for "large is right"; only where the order is by gain
heads, hopeless_below  logistic heads before generation (small right, large right) and the P(small right) under which trying is useless
signals              by name (`learned` and raw scores): map to P(small wrong), thresholds pooled, by group, and for the rest of the groups,
                     and the reference distribution of its confidences
"""

import json
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from router.calibration.drift import Reference
from router.calibration.linear import Head
from router.calibration.maps import Map
from router.calibration.thresholds import Promise, Threshold
from router.calibration.trees import Tree
from router.errors import ConfigError

FORMAT, VERSION = "smallfirst-calibration", 1
_FORBID = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=_FORBID)
class Ensemble:
    """Trees and how they add up."""

    trees: tuple[Tree, ...]
    bias: float
    mean: bool


@dataclass(frozen=True, slots=True, config=_FORBID)
class Size:
    """How many trees, and the leaves of each: `randomised` ones, and as many `boosted` ones beside them (0: none)."""

    trees: int
    randomised: int
    boosted: int


@dataclass(frozen=True, slots=True, config=_FORBID)
class Tried:
    """A size and its held-out loss a record; `over` is how far that is over the least one, `error` the standard error of that."""

    size: Size
    loss: float
    over: float
    error: float


@dataclass(frozen=True, slots=True, config=_FORBID)
class Choice:
    """The size of the trees, and what it was chosen from."""

    size: Size
    tried: tuple[Tried, ...]


@dataclass(frozen=True, slots=True, config=_FORBID)
class Signal:
    """One score: its map to P(small wrong) and its thresholds; `None` is a group in which nothing was certified, so that it escalates.

    `groups` have a threshold of their own, `rest` rules for the groups of `pooled_groups`, `pooled` for requests of no known group.
    `reference` are the confidences of the drafts that it was tested on: what live ones are held against to see drift.
    """

    error: Map
    pooled: Threshold | None
    rest: Threshold | None
    pooled_groups: tuple[str, ...]
    groups: dict[str, Threshold | None]
    reference: Reference | None = None


@dataclass(frozen=True, slots=True, config=_FORBID)
class Certificate:
    """What is promised: under every threshold at most `max_error` wrong (or, by `loss` regret, wrong where large is right) among the kept,
    with probability `confidence`. `method` says how the labels were kept apart from the fit. With a `max_cost` the promise is another one:
    a request costs at most so many dollars in the mean, with probability `confidence`; of errors nothing is promised then. `promise` says
    what the share is counted over: the `next` requests, as many as there were labels, or all there will be, the `rate`.
    """

    objective: Literal["error", "gain"]
    loss: Literal["error", "regret"]
    max_error: float
    confidence: float
    method: Literal["split", "crossfit"]
    records: int
    labels: int
    sources: dict[str, int]
    groups: dict[str, int]
    fingerprint: str
    created: str
    small: str
    large: str | None
    kinds: tuple[str, ...]
    functions: tuple[str, ...] | None
    logprobs: bool
    samples: bool
    warnings: tuple[str, ...]
    max_cost: float | None = None
    promise: Promise = "rate"


@dataclass(frozen=True, slots=True, config=_FORBID)
class Stored:
    """The whole artifact."""

    format: Literal["smallfirst-calibration"]
    version: Literal[1]
    certificate: Certificate
    features: tuple[str, ...]
    parts: tuple[Ensemble, ...]
    gain: tuple[Ensemble, ...]
    heads: tuple[Head, Head | None] | None
    hopeless_below: float | None
    signals: dict[str, Signal]
    answered: Head | None = None
    choice: Choice | None = None


def parse(text: str, name: str) -> Stored:
    """The artifact of a JSON text; raises ConfigError naming what is wrong."""
    try:
        value = json.loads(text)
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise ConfigError(f"{name}: not a calibration artifact", param="calibration")
        if value.get("version") != VERSION:
            raise ConfigError(f"{name}: version {value.get('version')!r} is unknown, this release reads {VERSION}", param="calibration")
        return TypeAdapter(Stored).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{name}: {'.'.join(map(str, first['loc']))}: {first['msg']}", param="calibration") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name}: {error}", param="calibration") from error


def dump(stored: Stored) -> str:
    """The JSON text, keys in a fixed order."""
    return TypeAdapter(Stored).dump_json(stored).decode() + "\n"
