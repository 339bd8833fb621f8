"""Log-probabilities as servers report them, read into tokens that say what is known and nothing more."""

from collections.abc import Sequence
from dataclasses import dataclass

from router.types import Alternative, Token
from server.engines.openai.answers import Position
from server.engines.openai.flavours import Mask

MASKED = -9000.0
"""Below this a log-probability is a sign, not a number: -9999 (vLLM, OpenAI) and the smallest float (SGLang) say "masked" or "not told"."""

TOLERANCE = 1e-3
"""Above this a number is no log-probability: a server that is set up to report logits has told nothing that scores could use."""


_made = tuple.__new__
"""Makes a named tuple without a call in Python: an answer has hundreds of alternatives."""


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
        return tuple([self._token(position) for position in positions])

    def _token(self, position: Position) -> Token:
        text, value, asked = position.token, position.logprob, position.top_logprobs or ()
        sure = None if not self.constrained or self.mask == "before" else True
        told = [
            _made(Alternative, (other.token, number, sure)) for other in asked if (number := other.logprob) is not None and number > MASKED
        ]
        best = max([number for _, number, _ in told], default=-1.0)
        if not self.told or best > TOLERANCE or (value or 0.0) > TOLERANCE:
            return Token(text)
        top = tuple(told if best <= 0.0 else map(_clamped, told))
        if value is not None and not MASKED < value <= 0.0:
            value = _number(value)
        if not self.constrained:
            return Token(text, value, value, True, top, top)
        if self.mask == "before":
            return Token(text, None, value, None, top)
        free = _free(len(asked), len(told)) if self.mask == "after" else None
        return Token(text, value, None, free, (), top)


def _free(asked: int, admitted: int) -> bool | None:
    """More than one admitted alternative is freedom; one beside masked ones is none; one alone tells nothing."""
    if admitted > 1:
        return True
    return False if asked > 1 else None


def _number(value: float | None) -> float | None:
    """No number (NaN is none either) where the server does not tell."""
    return min(value, 0.0) if value is not None and value > MASKED else None


def _clamped(other: Alternative) -> Alternative:
    """A probability that was rounded up beyond 1 is 1."""
    return Alternative(other.text, min(0.0, other.logprob), other.admissible)


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
