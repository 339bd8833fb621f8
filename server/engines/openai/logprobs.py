"""Log-probabilities as servers report them, read into tokens that say what is known and nothing more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from router.types import Alternative, Candidate, Token
from server.engines.openai.answers import Other, Position
from server.engines.openai.flavours import Mask

MASKED = -9000.0
"""Below this a log-probability is a sign, not a number: -9999 (vLLM, OpenAI) and the smallest float (SGLang) say "masked" or "not told"."""

TOLERANCE = 1e-3
"""Above this a number is no log-probability: a server that is set up to report logits has told nothing that scores could use."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read the positions of one answer: `constrained` says that a grammar may have masked tokens, `mask` where the numbers stand.

    `json` says that the answer is JSON, `told` is false where the numbers say nothing of the model.
    """

    constrained: bool
    mask: Mask | None
    json: bool = False
    told: bool = True

    @property
    def masked(self) -> bool:
        """Whether the alternatives are those that the grammar admitted."""
        return self.constrained and self.mask == "after"

    def tokens(self, positions: Sequence[Position]) -> tuple[Token, ...]:
        """One token a position, in order."""
        if not self.told:
            return tuple([Token(position.token) for position in positions])
        return tuple([self._token(one, one.top_logprobs or ()) if _plain(one) else self._sorted(one) for one in positions])

    def _sorted(self, position: Position) -> Token:
        """Of a position with alternatives that are signs or no probabilities."""
        asked = position.top_logprobs or ()
        told = tuple([other for other in asked if other.logprob is not None and other.logprob > MASKED])
        best = max([_told(other) for other in told], default=-1.0)
        if best > TOLERANCE:
            return Token(position.token)
        return self._token(position, told if best <= 0.0 else tuple(map(_clamped, told)), len(asked))

    def _token(self, position: Position, told: tuple[Other | Alternative, ...], asked: int = 0) -> Token:
        """With those of its alternatives whose numbers were told, of so many that were asked for or of all."""
        text, value, top = position.token, position.logprob, cast(tuple[Candidate, ...], told)
        if value is not None and not MASKED < value <= 0.0:
            if value > TOLERANCE:
                return Token(text)
            value = _number(value)
        if not self.constrained:
            return Token(text, value, value, True, top, top)
        if self.mask == "before":
            return Token(text, None, value, None, top)
        free = _free(asked or len(told), len(told)) if self.mask == "after" else None
        return Token(text, value, None, free, (), top)


def _plain(position: Position) -> bool:
    """Whether the number of every alternative is told, and is a log-probability."""
    for other in position.top_logprobs or ():  # noqa: SIM110  # a generator for every position would take twice as long
        if (number := other.logprob) is None or not MASKED < number <= 0.0:
            return False
    return True


def _free(asked: int, admitted: int) -> bool | None:
    """More than one admitted alternative is freedom; one beside masked ones is none; one alone tells nothing."""
    if admitted > 1:
        return True
    return False if asked > 1 else None


def _number(value: float | None) -> float | None:
    """No number (NaN is none either) where the server does not tell."""
    return min(value, 0.0) if value is not None and value > MASKED else None


def _told(other: Other) -> float:
    return cast(float, other.logprob)


def _clamped(other: Other) -> Alternative:
    """A probability that was rounded up beyond 1 is 1."""
    return Alternative(other.text, min(0.0, _told(other)))


def within(tokens: tuple[Token, ...], text: str) -> tuple[Token, ...]:
    """Those tokens that make up the text, without a thought before it and a stop token after it; all where they do not add up to it."""
    joined = "".join(token.text for token in tokens)
    start = joined.rfind(text)
    if start < 0 or not text or joined == text:
        return tokens
    kept, position = [], 0
    for token in tokens:
        end = position + len(token.text)
        if end > start and position < start + len(text):
            kept.append(token)
        position = end
    return tuple(kept)
