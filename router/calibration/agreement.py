"""How far two answers to one request say the same, by parsed structure and not by text (function-calling uncertainty, arXiv 2604.22985)."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from router.calibration.asked import asked
from router.calibration.disputed import DISPUTED_FEATURES, Arguments, disputed_features
from router.calibration.grounding import grounding_features
from router.calibration.offer import Offered, offer
from router.calibration.reading import Call, Reading, normal, read
from router.calibration.words import NUMBER, number
from router.types import Choice, Contract, Draft

_COMPARED = {
    "sample_invented": ("strings_invented", "figures_invented"),
    "sample_left": ("left_words",),
    "sample_numbers": ("left_numbers",),
    "sample_optional": ("optional_invented",),
}
AGREEMENT_FEATURES = (
    "agreement",
    "agreement_exact",
    "agreement_least",
    "agreement_names",
    "agreement_calls",
    "agreement_no_call",
    "sample_no_call",
    "sample_parsed",
    "agreement_near",
    "agreement_conflicts",
    "agreement_added",
    "agreement_missing",
    "agreement_unpaired",
    "sample_invented",
    "sample_left",
    "sample_numbers",
    "sample_optional",
    *DISPUTED_FEATURES,
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One answer beside another: arguments of paired calls are same, near (one holds the other), in conflict, or on one side."""

    same: int = 0
    near: int = 0
    conflict: int = 0
    added: int = 0
    missing: int = 0
    calls: int = 0
    unpaired: int = 0

    def __add__(self, other: "Difference") -> "Difference":
        return Difference(
            self.same + other.same,
            self.near + other.near,
            self.conflict + other.conflict,
            self.added + other.added,
            self.missing + other.missing,
            self.calls + other.calls,
            self.unpaired + other.unpaired,
        )

    @property
    def likeness(self) -> float:
        """1.0 where both say the same, 0.0 where nothing matches."""
        apart = self.near + self.conflict + self.added + self.missing + self.unpaired
        return (self.same + self.calls) / max(self.same + self.calls + apart, 1)


def alike(contract: Contract, one: Choice, other: Choice) -> float:
    """1.0 where both say the same, 0.0 where nothing matches; calls may come in any order, an argument at its default may be left out."""
    return _likeness(contract, read(contract, one), read(contract, other))


def _likeness(contract: Contract, one: Reading, other: Reading) -> float:
    if bool(one.calls) != bool(other.calls):
        return 0.0
    if one.calls:
        return difference(contract, one, other).likeness
    return float(normal(one.message or "") == normal(other.message or "") or (one.parsed and other.parsed and not _literal(one)))


def _literal(reading: Reading) -> bool:
    """A short message is an answer by its wording (a choice, a number); of longer ones, and of bare marks, only that no call was made."""
    said = reading.message or ""
    return len(said) <= 40 and any(map(str.isalnum, said))


def difference(contract: Contract, one: Reading, other: Reading) -> Difference:
    """Each call beside the one of the same name that it is most like."""
    pairs, rest = paired(contract, one, other)
    total = Difference(unpaired=len(one.calls) - len(pairs) + rest)
    for ours, theirs in pairs:
        total += _compared(ours, theirs)
    return total


def paired(contract: Contract, one: Reading, other: Reading) -> tuple[list[tuple[Arguments, Arguments]], int]:
    """The arguments of calls beside those of the other answer's calls, and how many of the other's are left."""
    functions = offer(contract).functions
    rest: list[tuple[str, Arguments]] = [_plain(call, functions) for call in other.calls]
    pairs: list[tuple[Arguments, Arguments]] = []
    for name, arguments in (_plain(call, functions) for call in one.calls):
        same = [call for call in rest if call[0] == name]
        if same:
            best = max(same, key=lambda call: sum(call[1].get(key) == value for key, value in arguments.items()))
            rest.remove(best)
            pairs.append((arguments, best[1]))
    return pairs, len(rest)


def _plain(call: Call, functions: Mapping[str, Offered]) -> tuple[str, dict[str, object]]:
    """The call without arguments that only repeat a default."""
    known = functions[call.name].parameters if call.name in functions else {}
    values = ((name, normal(value)) for name, value in call.arguments.items())
    return call.name, {
        name: value for name, value in values if name not in known or known[name].required or not known[name].is_default(value)
    }


def _compared(ours: Mapping[str, object], theirs: Mapping[str, object]) -> Difference:
    both = ours.keys() & theirs.keys()
    same = sum(ours[name] == theirs[name] for name in both)
    near = sum(ours[name] != theirs[name] and _near(ours[name], theirs[name]) for name in both)
    return Difference(same, near, len(both) - same - near, len(ours.keys() - both), len(theirs.keys() - both), calls=1)


def _near(one: object, other: object) -> bool:
    left, right = str(one), str(other)
    if left and right and (left in right or right in left):
        return True
    digits = [tuple(map(number, NUMBER.findall(text))) for text in (left, right)]
    return bool(digits[0]) and digits[0] == digits[1]


def agreement_features(draft: Draft) -> dict[str, float]:
    """Named features over the samples of the draft; empty where there are none."""
    if not draft.samples:
        return {}
    contract = draft.request.contract
    own = read(contract, draft.choice)
    others = [read(contract, sample) for sample in draft.samples]
    likeness = [_likeness(contract, own, other) for other in others]
    return (
        _differences(contract, own, others)
        | _grounds(draft, own, others)
        | {
            "agreement": _mean(likeness),
            "agreement_exact": _mean(value == 1.0 for value in likeness),
            "agreement_least": min(likeness),
            "agreement_names": _mean(_names(own) == _names(other) for other in others),
            "agreement_calls": _mean(len(own.calls) - len(other.calls) for other in others),
            "agreement_no_call": _mean(bool(own.calls) == bool(other.calls) for other in others),
            "sample_no_call": _mean(not other.calls for other in others),
            "sample_parsed": _mean(other.parsed for other in others),
        }
    )


def _differences(contract: Contract, own: Reading, others: list[Reading]) -> dict[str, float]:
    if not own.calls:
        return {}
    found = [difference(contract, own, other) for other in others if other.calls]
    if not found:
        return {}
    return {
        "agreement_near": _mean(one.near for one in found),
        "agreement_conflicts": _mean(one.conflict for one in found),
        "agreement_added": _mean(one.added for one in found),
        "agreement_missing": _mean(one.missing for one in found),
        "agreement_unpaired": _mean(one.unpaired for one in found),
    }


def _grounds(draft: Draft, own: Reading, others: list[Reading]) -> dict[str, float]:
    """By how much the draft invents more, or leaves more of the request over, than the samples do."""
    called, contract = [other.calls for other in others if other.calls], draft.request.contract
    if not own.calls or not called:
        return {}
    known = asked(draft.request)
    ours, theirs = grounding_features(known, own.calls), [grounding_features(known, calls) for calls in called]
    found = {}
    for name, counted in _COMPARED.items():
        found[name] = sum(ours.get(one, 0.0) for one in counted) - _mean(sum(other.get(one, 0.0) for one in counted) for other in theirs)
    sides = [disputed_features(known, paired(contract, own, other)[0]) for other in others if other.calls]
    return found | {name: _mean(side[name] for side in sides) for name in DISPUTED_FEATURES}


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return math.fsum(found) / len(found)


def _names(reading: Reading) -> Counter[str]:
    return Counter(call.name for call in reading.calls)
