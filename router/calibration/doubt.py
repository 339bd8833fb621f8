"""Features of the token log-probabilities, over the free tokens only."""

import math
from bisect import bisect_left
from collections.abc import Sequence

from router.compiled import compiled
from router.scores.tokens import doubts, meaningful, removed, weighed
from router.types import Choice, Contract, Draft, Token

OPTIONS, RANKS = 8, 4
_TOKEN = (
    "logprob_min",
    "logprob_second",
    "logprob_q10",
    "logprob_q25",
    "logprob_q50",
    "logprob_mean",
    "logprob_sum",
    "logprob_first",
    "logprob_last",
    "doubtful_tokens",
    "free_tokens",
    "margin_min",
    "margin_mean",
    "entropy_max",
    "entropy_mean",
    "entropy_first",
    "removed_max",
    "removed_first",
    "option_chosen",
)
TOKEN_FEATURES = (*_TOKEN, *(f"option_{place}" for place in range(OPTIONS)), *(f"option_rank_{place}" for place in range(RANKS)))


@compiled("tokens")
def token_features(draft: Draft) -> dict[str, float]:
    """Named features; empty where the engine gave no log-probabilities."""
    tokens = meaningful(draft)
    logprobs = doubts(tokens)
    if not logprobs:
        return {}
    ordered = sorted(logprobs)
    count = len(ordered)
    found = {
        "logprob_min": ordered[0],
        "logprob_second": ordered[1] if count > 1 else 0.0,
        "logprob_q10": ordered[int(0.1 * (count - 1))],
        "logprob_q25": ordered[int(0.25 * (count - 1))],
        "logprob_q50": ordered[int(0.5 * (count - 1))],
        "logprob_mean": math.fsum(ordered) / count,
        "logprob_sum": math.fsum(ordered),
        "logprob_first": logprobs[0],
        "logprob_last": logprobs[-1],
        "doubtful_tokens": float(bisect_left(ordered, -0.7)),
        "free_tokens": float(count),
    }
    found |= _alternatives(tokens)
    gone = removed(draft.choice.tokens)
    if gone:
        found["removed_max"], found["removed_first"] = gone
    return found | _options(draft.request.contract, draft.choice) if draft.request.contract.kind == "choice" else found


def _alternatives(tokens: Sequence[Token]) -> dict[str, float]:
    between, spread = weighed(tokens)
    found: dict[str, float] = {}
    if between:
        found |= {"margin_min": min(between), "margin_mean": math.fsum(between) / len(between)}
    if spread:
        found |= {"entropy_max": max(spread), "entropy_mean": math.fsum(spread) / len(spread), "entropy_first": spread[0]}
    return found


def _options(contract: Contract, choice: Choice) -> dict[str, float]:
    """Under a choice contract of few options: the log-probability of each option's first token, by its place in the list."""
    if not 2 <= len(contract.choices) <= OPTIONS or not choice.tokens:
        return {}
    first = choice.tokens[0]
    top = {alternative.text.strip(): alternative.logprob for alternative in (*first.masked_top, *first.top)}
    found = {f"option_{place}": top[option.strip()] for place, option in enumerate(contract.choices) if option.strip() in top}
    chosen = {"option_chosen": float(contract.choices.index(choice.text))} if choice.text in contract.choices else {}
    ordered = sorted(found.values(), reverse=True)
    ranks = {f"option_rank_{place}": value for place, value in enumerate(ordered[:RANKS])}
    return found | chosen | ranks
