"""Log-probabilities of generated tokens, before and after the grammar mask, for many positions at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.types import Alternative, Token

Row = NDArray[np.float32]
LEAST = 5
"""Alternatives recorded at every position, even if the client asked for fewer."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One generated token with what it was drawn from: logits [V] as the model gave them, as adjusted, and the mask (None: no contract)."""

    id: int
    text: str
    free: bool = True
    logits: Row | None = None
    adjusted: Row | None = None
    allowed: NDArray[np.bool_] | None = None


def measured(drawn: Sequence[Drawn], texts: Sequence[str], top: int) -> tuple[Token, ...]:
    """Tokens with evidence where their logits were kept, plain ones elsewhere.

    `logprob` is under the distribution after bias, penalties and mask, `raw_logprob` under the model's own; both at temperature 1, so that
    they mean the same whatever temperature the client chose. `top` alternatives a position.
    """
    logits = [each.logits for each in drawn if each.logits is not None]
    if not drawn or len(logits) < len(drawn):
        return tuple(Token(each.text, free=each.free) for each in drawn)
    raw = log_softmax(np.stack(logits))
    after = log_softmax(np.stack([_masked(each, row) for each, row in zip(drawn, logits, strict=True)]))
    likely, admissible = _likeliest(raw, top), _likeliest(after, top)
    return tuple(
        Token(
            each.text,
            float(after[at, each.id]),
            float(raw[at, each.id]),
            each.free,
            tuple(Alternative(texts[i], logprob) for i, logprob in likely[at]),
            tuple(Alternative(texts[i], logprob) for i, logprob in admissible[at]),
        )
        for at, each in enumerate(drawn)
    )


def log_softmax(logits: Row) -> Row:
    """Natural-log probabilities along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    total = np.exp(shifted).sum(axis=-1, keepdims=True, dtype=np.float64)
    result: Row = shifted - np.log(total).astype(np.float32)
    return result


def _masked(drawn: Drawn, logits: Row) -> Row:
    adjusted = logits if drawn.adjusted is None else drawn.adjusted
    return adjusted if drawn.allowed is None else np.where(drawn.allowed, adjusted, np.float32(-np.inf))


def _likeliest(rows: Row, count: int) -> list[list[tuple[int, float]]]:
    """For each row the `count` likeliest (id, log-probability), the impossible left out; a few passes of argmax beat any partial sort."""
    left, every = rows.copy(), np.arange(len(rows))
    found: list[list[tuple[int, float]]] = [[] for _ in rows]
    for _ in range(min(count, rows.shape[1])):
        best = left.argmax(axis=1)
        values = left[every, best]
        left[every, best] = -np.inf
        for row, token, value in zip(found, best.tolist(), values.tolist(), strict=True):
            if value > -np.inf:
                row.append((token, value))
    return found
