"""The feature vector of a draft: the one code path of live traffic, replay and fitting.

Never an identifier and never a hash of the prompt. Everything works without log-probabilities and without samples: what is unknown is
absent, or NaN.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from router.calibration.agreement import AGREEMENT_FEATURES, agreement_features
from router.calibration.answered import ANSWER_FEATURES, answer_features
from router.calibration.asked import REQUEST_FEATURES, asked, request_features
from router.calibration.doubt import TOKEN_FEATURES, token_features
from router.calibration.grounding import GROUNDING_FEATURES
from router.calibration.linear import ANSWERED, CROSSED, HEAD_FEATURES
from router.calibration.reading import read
from router.types import Draft, GenerationRequest

FEATURES = (*REQUEST_FEATURES, *ANSWER_FEATURES, *GROUNDING_FEATURES, *TOKEN_FEATURES, *AGREEMENT_FEATURES, *HEAD_FEATURES, ANSWERED)
LOGPROB_FEATURES = frozenset(TOKEN_FEATURES)
_CROSSED_WORDS, _TAG = 200, 60


def features(draft: Draft, *, samples: bool = True) -> dict[str, float]:
    """All named features that this draft has."""
    known = asked(draft.request)
    found = request_features(draft.request, known) | answer_features(draft, known) | token_features(draft)
    return found | agreement_features(draft) if samples else found


def vector(found: Mapping[str, float], names: Sequence[str]) -> list[float]:
    """The values in the order of `names`, NaN for what is absent."""
    nan = math.nan
    return [found.get(name, nan) for name in names]


def grams(request: GenerationRequest) -> list[str]:
    """Words and neighbouring pairs of the last user message, for the hashed part of the heads before generation."""
    found = ["<s>", *asked(request).words]
    return found[1:] + [f"{one} {other}" for one, other in pairwise(found)]


def answered_grams(draft: Draft) -> list[str]:
    """The request's words and pairs, and each word beside what was answered: the option chosen, or the functions called."""
    plain = grams(draft.request)
    tag = _tag(draft)
    return plain if tag is None else plain + [f"{CROSSED}{tag} {word}" for word in plain[:_CROSSED_WORDS] if " " not in word]


def _tag(draft: Draft) -> str | None:
    kind = draft.request.contract.kind
    if kind == "choice":
        return draft.choice.text[:_TAG]
    if kind != "tools":
        return None
    names = sorted({call.name for call in read(draft.request.contract, draft.choice).calls})
    return ",".join(names)[:_TAG]
