"""Arguments on which two answers to one request differ, and whose side the request itself takes."""

from collections.abc import Iterable, Mapping

from router.calibration.asked import Asked
from router.calibration.words import stems, words

DISPUTED_FEATURES = (
    "disputed_ours",
    "disputed_theirs",
    "disputed_neither",
    "disputed_longer",
    "disputed_shorter",
    "added_said",
    "added_unsaid",
    "missing_said",
    "missing_unsaid",
)
Arguments = Mapping[str, object]
"""Values in the normal form."""


def disputed_features(known: Asked, pairs: Iterable[tuple[Arguments, Arguments]]) -> dict[str, float]:
    """Counts over the paired calls of an answer and of another one, values both give apart from those that only one of them gives."""
    found = dict.fromkeys(DISPUTED_FEATURES, 0.0)
    for ours, theirs in pairs:
        for name in ours.keys() | theirs.keys():
            kind = _kind(known, ours, theirs, name)
            for one in kind:
                found[one] += 1.0
    return found


def _kind(known: Asked, ours: Arguments, theirs: Arguments, name: str) -> tuple[str, ...]:
    if name not in theirs:
        return ("added_said",) if said(known, ours[name]) else ("added_unsaid",)
    if name not in ours:
        return ("missing_said",) if said(known, theirs[name]) else ("missing_unsaid",)
    own, other = ours[name], theirs[name]
    if own == other:
        return ()
    left, right = said(known, own), said(known, other)
    side = "disputed_neither" if left == right else "disputed_ours" if left else "disputed_theirs"
    return (side, *_length(str(own), str(other)))


def _length(own: str, other: str) -> tuple[str, ...]:
    if own and own in other:
        return ("disputed_shorter",)
    return ("disputed_longer",) if other and other in own else ()


def said(known: Asked, value: object) -> bool:
    """Whether the request says the value: its number, its text, or all its telling words; of a list, each part."""
    if isinstance(value, str):
        telling = stems(words(value))
        return value in known.text or (bool(telling) and telling <= known.all_stems)
    if isinstance(value, tuple):
        return bool(value) and all(said(known, part) for part in value)
    return isinstance(value, float) and value in known.all_numbers
