"""Which tokens of a constrained answer were free: none that only spells out, in one way or another, what had to come.

A server's mask admits every token that fits, so `min`, `minute` and `minutes` may all stand where nothing but `"minutes":` can follow.
Such a position says nothing of doubt, nor does one whose alternatives are white space between JSON's own marks. What a position's
alternatives would have meant shows only in the text that came, so that tokens are held until enough of it is there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import field

from router.compiled import compiled
from router.types import Token
from router.types.records import record

AHEAD = 64
"""Characters of white space that are looked through."""
_MARK, _ESCAPE = '"', "\\"


@record(slots=True)
class Freedom:
    """The tokens of one choice in order, each given on once it is known whether it was free; `json` says that the answer is JSON."""

    json: bool
    _held: list[Token] = field(default_factory=list)
    _within: bool = False
    _escaped: bool = False

    def feed(self, tokens: Iterable[Token], *, final: bool = False) -> tuple[Token, ...]:
        """Those that are known now; all of them where nothing more comes."""
        self._held += tokens
        given, self._within, self._escaped = fed(self._held, self.json, self._within, self._escaped, final)
        del self._held[: len(given)]
        return tuple(given)


@compiled("positions")
def fed(held: Sequence[Token], json: bool, within: bool, escaped: bool, final: bool) -> tuple[list[Token], bool, bool]:
    """Those that are known now, and whether what follows stands within a string of JSON, and is escaped there."""
    came, at = "".join([token.text for token in held]), 0
    given: list[Token] = []
    for token in held:
        text = token.text
        if token.free:
            free = _free(token, came, at, loose=json and not within, final=final)
            if free is None:
                break
            given.append(token if free else token._replace(free=False))
        else:
            given.append(token)
        if escaped or _MARK in text or _ESCAPE in text:
            within, escaped = _walked(text, within, escaped)
        at += len(text)
    return given, within, escaped


def _walked(text: str, within: bool, escaped: bool) -> tuple[bool, bool]:
    if not escaped and _ESCAPE not in text:
        return within ^ (text.count(_MARK) % 2 == 1), False
    for letter in text:
        if escaped:
            escaped = False
        elif letter == _ESCAPE and within:
            escaped = True
        elif letter == _MARK:
            within = not within
    return within, escaped


def _free(token: Token, came: str, at: int, *, loose: bool, final: bool) -> bool | None:
    """Whether any alternative leads elsewhere than the answer that `came`, from `at` on; `None` where that is too short to tell.

    White space before a mark means nothing where the form is `loose`.
    """
    undecided, first = False, came[at : at + 1]
    if loose and first.isspace():
        ahead = came[at : at + AHEAD]
        at += len(ahead) - len(ahead.lstrip())
        first = came[at : at + 1]
    for alternative in token.masked_top:
        other = alternative.text.lstrip() if loose else alternative.text
        if first and other and other[0] != first:  # most of them end here
            return True
        if came.startswith(other, at):
            continue
        if final or not other.startswith(came[at : at + len(other)]) or len(came) - at >= len(other):
            return True
        undecided = True
    return None if undecided else False
