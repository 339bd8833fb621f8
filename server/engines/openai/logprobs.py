"""Log-probabilities as servers report them, read into tokens that say what is known and nothing more."""

from collections.abc import Sequence

from router.compiled import compiled
from router.types import Alternative, Token
from router.types.records import record
from server.engines.openai.answers import Logprobs, Other, Position
from server.engines.openai.flavours import Mask

MASKED = -9000.0
"""Below this a log-probability is a sign, not a number: -9999 (vLLM, OpenAI) and the smallest float (SGLang) say "masked" or "not told"."""

TOLERANCE = 1e-3
"""Above this a number is no log-probability: a server that is set up to report logits has told nothing that scores could use."""

_made = tuple.__new__
"""Makes a named tuple without a call in Python, for each of hundreds of tokens."""


@record(frozen=True, slots=True)
class Reading:
    """How to read the positions of one answer: `constrained` says that a grammar may have masked tokens, `mask` where the numbers stand.

    `json` says that the answer is JSON, `told` is false where the numbers say nothing of the model.
    """

    constrained: bool
    mask: Mask | None
    json: bool = False
    told: bool = True

    def tokens(self, found: Logprobs | None) -> tuple[Token, ...]:
        """One token a position, in order."""
        positions = (found and found.content) or ()
        return self.known(tuple([_token(position, self.constrained, self.mask) for position in positions]))

    def known(self, tokens: tuple[Token, ...]) -> tuple[Token, ...]:
        """The tokens without numbers that say nothing."""
        return tokens if self.told else tuple([Token(token.text) for token in tokens])


@compiled("reading")
def apart(_body: str | bytes, _constrained: bool, _mask: Mask | None) -> tuple[bytes, list[tuple[Token, ...]]] | None:
    """An answer's JSON with a number in place of each choice's log-probabilities, and of each the tokens of a `Reading`.

    `None` where they must be read with the rest: always, but where compiled code reads them without an object for each.
    """
    return None


def _token(position: Position, constrained: bool, mask: Mask | None) -> Token:
    text, value, asked = position.token, position.logprob, position.top_logprobs or ()
    top: Sequence[Other | Alternative] | None = asked
    for other in asked:
        if (number := other.logprob) is None or not MASKED < number <= 0.0:
            top = _told(asked)
            break
    if value is not None and not MASKED < value <= 0.0:
        top = None if value > TOLERANCE else top
        value = _number(value)
    if top is None:
        return Token(text)
    if not constrained:
        return _made(Token, (text, value, value, True, top, top))
    if mask == "before":
        return _made(Token, (text, None, value, None, top, ()))
    free = None if mask is None else True if len(top) > 1 else False if len(asked) > 1 else None  # one alone tells nothing
    return _made(Token, (text, value, None, free, (), top))


def _told(asked: Sequence[Other]) -> tuple[Other | Alternative, ...] | None:
    """Those whose numbers are told and no signs; `None` where one of them is no probability."""
    told = tuple([(other, number) for other in asked if (number := other.logprob) is not None and number > MASKED])
    best = max([number for _, number in told], default=-1.0)
    if best > TOLERANCE:
        return None
    if best > 0.0:  # rounded up beyond certainty
        return tuple([Alternative(other.text, min(0.0, number)) for other, number in told])
    return tuple([other for other, _ in told])


def _number(value: float) -> float | None:
    """No number (NaN is none either) where the server does not tell."""
    return min(value, 0.0) if value > MASKED else None


@compiled("positions")
def within(tokens: tuple[Token, ...], text: str) -> tuple[Token, ...]:
    """Those tokens that make up the text, without a thought before it and a stop token after it; all where they do not add up to it."""
    joined = "".join([token.text for token in tokens])
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
