"""Lines of the gateway's log among replay records: which are records, and why the others are none."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

LeftOut = Literal["unlabelled", "other_tiers"]
"""Nobody knows how right the answer was; or a tier that is asked for did not answer."""
Leave = Callable[[LeftOut], object]
FIELDS = ("id", "group", "request", "tiers", "label")


def recorded(line: Mapping[str, object], needed: Sequence[str], leave: Leave) -> dict[str, object] | None:
    """The record in a line of the log; `None` where it has none, and `leave` is told why if it is of a request."""
    if line["event"] != "request":
        return None
    tiers = line.get("tiers")
    if "label" not in line:
        leave("unlabelled")
        return None
    if isinstance(tiers, Mapping) and not tiers.keys() >= set(needed):
        leave("other_tiers")
        return None
    return {name: line[name] for name in FIELDS if name in line}
