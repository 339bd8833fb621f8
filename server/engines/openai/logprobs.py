"""Log-probabilities as servers report them, read into tokens that say what is known and nothing more."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from router.types import Alternative, Token
from server.engines.openai.answers import Candidate, Position
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
        return tuple(self._token(position) for position in positions)

    def _token(self, position: Position) -> Token:
        if not self.told or _logits(position):
            return Token(position.token)
        value = _number(position.logprob)
        if not self.constrained:
            top = tuple(_alternative(candidate, None) for candidate in position.top_logprobs or () if _known(candidate))
            return Token(position.token, value, value, True, top, top)
        if self.mask == "before":
            top = tuple(_alternative(candidate, None) for candidate in position.top_logprobs or () if _known(candidate))
            return Token(position.token, None, value, None, top)
        admitted = tuple(_alternative(candidate, True) for candidate in position.top_logprobs or () if _known(candidate))
        free = _free(position, len(admitted)) if self.mask == "after" else None
        return Token(position.token, value, None, free, (), admitted)


def _logits(position: Position) -> bool:
    given = (position, *(position.top_logprobs or ()))
    return any(candidate.logprob is not None and candidate.logprob > TOLERANCE for candidate in given)


def _free(position: Position, admitted: int) -> bool | None:
    """More than one admitted alternative is freedom; one beside masked ones is none; one alone tells nothing."""
    if admitted > 1:
        return True
    asked = len(position.top_logprobs or ())
    if asked > 1:
        return False
    return None


def _number(value: float | None) -> float | None:
    return None if value is None or isnan(value) or value <= MASKED else min(value, 0.0)


def _known(candidate: Candidate) -> bool:
    return _number(candidate.logprob) is not None


def _alternative(candidate: Candidate, admissible: bool | None) -> Alternative:
    return Alternative(candidate.token, _number(candidate.logprob) or 0.0, admissible)


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
