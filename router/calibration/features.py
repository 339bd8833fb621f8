"""The feature vector of a draft: the one code path of live traffic, replay and fitting.

Never an identifier and never a hash of the prompt. Everything works without log-probabilities and without samples: what is unknown is
absent, or NaN.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import compress, pairwise

import msgspec
import numpy as np

from router.calibration.agreement import AGREEMENT_FEATURES, agreement_features
from router.calibration.answered import ANSWER_FEATURES, gathered
from router.calibration.asked import REQUEST_FEATURES, asked
from router.calibration.doubt import TOKEN_FEATURES
from router.calibration.grounding import GROUNDING_FEATURES
from router.calibration.linear import ANSWERED, CROSSED, HEAD_FEATURES
from router.calibration.reading import Reading, read
from router.compiled import compiled
from router.types import Draft, GenerationRequest
from router.types.records import record

FEATURES = (*REQUEST_FEATURES, *ANSWER_FEATURES, *GROUNDING_FEATURES, *TOKEN_FEATURES, *AGREEMENT_FEATURES, *HEAD_FEATURES, ANSWERED)
LOGPROB_FEATURES = frozenset(TOKEN_FEATURES)
_CROSSED_WORDS, _TAG = 200, 60


@record(frozen=True, slots=True)
class Look:
    """What one look at a draft found: named features, and what its words are made of, which are not always asked for."""

    found: dict[str, float]
    _draft: Draft
    _reading: Reading
    _said: list[str]

    @property
    def words(self) -> list[str]:
        """The words of the request with those beside the answer."""
        return _beside(grams_of(self._said), _tag(self._draft, self._reading))


def look(draft: Draft, *, samples: bool = True) -> Look:
    """Features and words at once, request and answer taken apart a single time; without `samples` other answers are not looked at."""
    known, reading = asked(draft.request), read(draft.request.contract, draft.choice)
    found = gathered(draft, known, reading)
    if samples and draft.samples:
        found |= agreement_features(draft)
    return Look(found, draft, reading, known.words)


def features(draft: Draft, *, samples: bool = True) -> dict[str, float]:
    """All named features that this draft has."""
    return look(draft, samples=samples).found


def vector(found: Mapping[str, float], names: Sequence[str]) -> list[float]:
    """The values in the order of `names`, NaN for what is absent."""
    nan = math.nan
    return [found.get(name, nan) for name in names]


@compiled("rows")
def written(found: dict[str, float], digits: int) -> bytes:
    """What is finite as a JSON object, all rounded at once: one by one they would cost more than all else of a row."""
    values = np.fromiter(found.values(), float, len(found))
    known: list[bool] = np.isfinite(values).tolist()
    return msgspec.json.encode(dict(compress(zip(found, values.round(digits).tolist(), strict=True), known)))


def grams(request: GenerationRequest) -> list[str]:
    """Words and neighbouring pairs of the last user message, for the hashed part of the heads before generation."""
    return grams_of(asked(request).words)


def answered_grams(draft: Draft) -> list[str]:
    """The request's words and pairs, and each word beside what was answered: the option chosen, or the functions called."""
    return _beside(grams(draft.request), _tag(draft, read(draft.request.contract, draft.choice)))


@compiled("heads")
def grams_of(words: list[str]) -> list[str]:
    """The words, and each with the one before it."""
    return words + [f"{one} {other}" for one, other in pairwise(["<s>", *words])]


def _beside(plain: list[str], tag: str | None) -> list[str]:
    """The words and pairs, and of the first 200 those that are words once more with the tag."""
    if tag is None:
        return plain
    return crossed(plain, f"{CROSSED}{tag} ", _CROSSED_WORDS)


@compiled("heads")
def crossed(plain: list[str], start: str, most: int) -> list[str]:
    """All, and of the first so many those that are words once more behind `start`."""
    return plain + [start + word for word in plain[:most] if " " not in word]


def _tag(draft: Draft, reading: Reading) -> str | None:
    kind = draft.request.contract.kind
    if kind == "choice":
        return draft.choice.text[:_TAG]
    if kind != "tools":
        return None
    return ",".join(sorted({call.name for call in reading.calls}))[:_TAG]
