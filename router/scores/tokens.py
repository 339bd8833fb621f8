"""The tokens of an answer that say something about doubt, and per-token quantities; shared by the scores and the learned features.

Under guided decoding most tokens are forced and have probability 1 whatever the model thinks: only free ones count, and of those without
a known freedom only names, values and words, not the punctuation between them.
"""

import math
import re
from collections.abc import Iterable, Sequence
from math import exp, log

from router.compiled import compiled
from router.types import Draft, Token

_FORMS = frozenset({"tools", "json_schema", "json_object"})
_KEY = re.compile(r'"(?:[^"\\]|\\.)*"\s*:')
_NAME = re.compile(r'\{"name":\s*"((?:[^"\\]|\\.)*)"')
_CERTAIN = -1e-7


@compiled("tokens")
def meaningful(draft: Draft) -> tuple[Token, ...]:
    """The free tokens of the answer; all tokens of prose."""
    tokens = draft.choice.tokens
    if draft.request.contract.kind not in _FORMS:
        return tuple([token for token in tokens if token.free is not False])
    if any(token.free is not None for token in tokens):
        return tuple([token for token in tokens if token.free])
    return _values(tokens)


def _values(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """Where freedom is unknown: tokens outside the keys that hold a letter or a digit and were not certain."""
    text = "".join(token.text for token in tokens)
    keys = [match.span() for match in _KEY.finditer(text)]
    keys.append((len(text) + 1, len(text) + 1))
    kept, at, place = [], 0, 0
    for token in tokens:
        end = at + len(token.text)
        while keys[place][1] < end:
            place += 1  # the first key that does not end before the token
        key = keys[place][0] <= at
        if not key and any(map(str.isalnum, token.text)) and (token.logprob is None or token.logprob < _CERTAIN):
            kept.append(token)
        at = end
    return tuple(kept)


def names(draft: Draft) -> tuple[Token, ...]:
    """The free tokens inside the called functions' names."""
    tokens = draft.choice.tokens
    spans = [match.span(1) for match in _NAME.finditer("".join(token.text for token in tokens))]
    found, at = [], 0
    for token in tokens:
        end = at + len(token.text)
        if token.free is not False and any(at < stop and start < end for start, stop in spans):
            found.append(token)
        at = end
    return tuple(found)


@compiled("tokens")
def doubts(tokens: Iterable[Token]) -> list[float]:
    """Log-probabilities, those from before the grammar mask where known; tokens without any are left out."""
    return [
        value
        for token in tokens
        if (value := token.logprob if token.raw_logprob is None else token.raw_logprob) is not None and value - value == 0.0
    ]


def margins(tokens: Iterable[Token]) -> list[float]:
    """Probability of each token less that of the best other one; tokens without alternatives are left out.

    Before the grammar mask where that is known, else among those that it admitted.
    """
    return weighed(tokens)[0]


def entropies(tokens: Iterable[Token]) -> list[float]:
    """Entropy in nats of the alternatives of each token, renormalised over the admissible ones that are known.

    With weights w it is log(sum w) - sum(w log w) / sum w, and 0 where no alternative is possible.
    """
    return weighed(tokens)[1]


@compiled("tokens")
def weighed(tokens: Iterable[Token]) -> tuple[list[float], list[float]]:
    """The `margins` and the `entropies`, every alternative looked at once.

    A plain loop: over a few hundred numbers it is three times as fast as arrays, which must be made of them first.
    """
    gaps, spread = [], []
    for text, logprob, raw, _, top, masked_top in tokens:
        admitted, others = masked_top or top, top or masked_top
        best, beside = -math.inf, 0.0
        if len(admitted) > 1:
            total = weighted = 0.0
            for alternative in admitted:
                number = alternative.logprob
                if weight := exp(number):
                    total += weight
                    weighted += weight * number
                    if number > best and alternative.text != text:
                        best, beside = number, weight
            spread.append(max(0.0, log(total) - weighted / total) if total else 0.0)
        if len(others) > 1:
            if others is not admitted:
                beside = exp(max([other.logprob for other in others if other.text != text], default=-math.inf))
            own = logprob if raw is None else raw
            gaps.append(exp(others[0].logprob if own is None else own) - beside)
    return gaps, spread


@compiled("tokens")
def removed(tokens: Iterable[Token]) -> tuple[float, float] | None:
    """The probability that the grammar mask took away, 1 - exp(raw - masked): the largest of all tokens, and the first token's."""
    gaps = [token.raw_logprob - token.logprob for token in tokens if token.raw_logprob is not None and token.logprob is not None]
    return (_gone(min(gaps)), _gone(gaps[0])) if gaps else None


def _gone(gap: float) -> float:
    return min(1.0, max(0.0, 1.0 - math.exp(min(0.0, gap))))
