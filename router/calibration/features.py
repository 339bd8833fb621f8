"""The feature vector of a draft: the one code path of live traffic, replay and fitting.

Never an identifier and never a hash of the prompt. Everything works without log-probabilities and without samples: what is unknown is
absent, or NaN.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from router.calibration.agreement import AGREEMENT_FEATURES, agreement_features
from router.calibration.answered import ANSWER_FEATURES, answer_features
from router.calibration.asked import REQUEST_FEATURES, request_features
from router.calibration.doubt import TOKEN_FEATURES, token_features
from router.calibration.grounding import GROUNDING_FEATURES
from router.calibration.words import words
from router.types import Draft, GenerationRequest

HEAD_FEATURES = ("head_small", "head_large")
FEATURES = (*REQUEST_FEATURES, *ANSWER_FEATURES, *GROUNDING_FEATURES, *TOKEN_FEATURES, *AGREEMENT_FEATURES, *HEAD_FEATURES)
LOGPROB_FEATURES = frozenset(TOKEN_FEATURES)
_LONGEST = 6000


def features(draft: Draft, *, samples: bool = True) -> dict[str, float]:
    """All named features that this draft has."""
    found = request_features(draft.request) | answer_features(draft) | token_features(draft)
    return found | agreement_features(draft) if samples else found


def vector(found: Mapping[str, float], names: Sequence[str]) -> list[float]:
    """The values in the order of `names`, NaN for what is absent."""
    nan = math.nan
    return [found.get(name, nan) for name in names]


def grams(request: GenerationRequest) -> list[str]:
    """Words and neighbouring pairs of the last user message, for the hashed part of the heads before generation."""
    text = next((message.text for message in reversed(request.messages) if message.role == "user"), "")
    found = ["<s>", *words(text[-_LONGEST:])]
    return found[1:] + [f"{one} {other}" for one, other in pairwise(found)]
