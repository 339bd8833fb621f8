"""Log-probabilities as servers report them, read into tokens that say what is known and nothing more."""

from collections.abc import Sequence
from dataclasses import dataclass

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
        return tuple([self._token(position) for position in positions])

    def _token(self, position: Position) -> Token:
        text, value, asked = position["token"], position.get("logprob"), position.get("top_logprobs") or ()
        told = _told(asked)
        if not self.told or max([value or 0.0, *[number for _, number in told]]) > TOLERANCE:
            return Token(text)
        value = _number(value)
        if not self.constrained:
            top = _alternatives(told, None)
            return Token(text, value, value, True, top, top)
        if self.mask == "before":
            return Token(text, None, value, None, _alternatives(told, None))
        free = _free(len(asked), len(told)) if self.mask == "after" else None
        return Token(text, value, None, free, (), _alternatives(told, True))


def _free(asked: int, admitted: int) -> bool | None:
    """More than one admitted alternative is freedom; one beside masked ones is none; one alone tells nothing."""
    if admitted > 1:
        return True
    return False if asked > 1 else None


def _number(value: float | None) -> float | None:
    """No number (NaN is none either) where the server does not tell."""
    return min(value, 0.0) if value is not None and value > MASKED else None


def _told(candidates: Sequence[Candidate]) -> list[tuple[str, float]]:
    """Those whose number the server tells; an answer has hundreds, so that a call for each would cost more than the rest of the reading."""
    return [(candidate["token"], value) for candidate in candidates if (value := candidate.get("logprob")) is not None and value > MASKED]


def _alternatives(told: Sequence[tuple[str, float]], admissible: bool | None) -> tuple[Alternative, ...]:
    return tuple([Alternative(text, min(0.0, value), admissible) for text, value in told])


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
