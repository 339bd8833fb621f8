"""Endless labelled requests to the on-device assistant, split so that nothing of a test is ever trained on.

``python -m models.generate --split test --n 20`` prints samples.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

from models import auxiliary as aids
from models import hard
from models.examples import Example, Message, answer, offered, system
from models.grammar import Split, portion
from models.requests import Draft, plain_request, refusal_request

__all__ = ["Example", "Message", "Split", "echo", "examples", "practice", "same_answer"]

AUXILIARY = 0.22


def examples(split: Split, seed: int, hard_share: float = 0.4) -> Iterator[Example]:
    """Examples of a split without end, the same for the same arguments."""
    rng = Random(f"{split}/{seed}")
    while True:
        yield ordinary(split, rng, hard_share)


def practice(seed: int, hard_share: float) -> Iterator[Example]:
    """What is trained on: the training split with more of what is hard to learn, and the kinds of training only."""
    rng = Random(f"train/{seed}")
    while True:
        if rng.random() < AUXILIARY:
            yield rng.choices(aids.MAKERS, aids.WEIGHTS)[0](rng)
        else:
            yield ordinary("train", rng, hard_share, 0.12, hard.PRACTISED)


def ordinary(split: Split, rng: Random, hard_share: float, refused: float = 0.08, kinds: hard.Kinds = hard.KINDS) -> Example:
    """One example of the measured kinds; what cannot be used is drawn again within its kind, so that the shares stay."""
    is_hard = rng.random() < hard_share
    easy = refusal_request if rng.random() < refused else plain_request
    make = rng.choice(kinds) if is_hard else easy
    while (example := from_draft(make(split, rng), split, rng, is_hard)) is None:
        pass
    return example


def from_draft(draft: Draft | None, split: Split, rng: Random, is_hard: bool) -> Example | None:
    """The example of a draft, or none where its text belongs to another split."""
    if draft is None or text_split(draft.text) != split:
        return None
    functions = offered(draft, rng)
    return Example((system(functions, rng), Message("user", draft.text)), functions, answer(draft.calls), draft.kind, is_hard)


def text_split(text: str) -> Split:
    """The split of a whole request: 90 % train, 5 % calibration, 5 % test."""
    place = portion(text.lower())
    return "train" if place < 90 else "calibration" if place < 95 else "test"


def echo(seed: int) -> Iterator[Example]:
    """The warm-up: copying strings out of the prompt."""
    rng = Random(f"echo/{seed}")
    while True:
        yield aids.echo(rng)


def same_answer(a: str, b: str) -> bool:
    """Whether two answers mean the same: the same calls in any order, or any two messages, or equal JSON or text."""
    try:
        left, right = json.loads(a), json.loads(b)
    except ValueError:
        return a.strip() == b.strip()
    return bool(meaning(left) == meaning(right))


def meaning(parsed: Any) -> Any:
    """What counts of a parsed answer."""
    if isinstance(parsed, dict) and isinstance(parsed.get("tool_calls"), list):
        return Counter(json.dumps(numbers(call), sort_keys=True) for call in parsed["tool_calls"])
    return "message" if isinstance(parsed, dict) and set(parsed) == {"message"} else numbers(parsed)


def numbers(value: Any) -> Any:
    """The value with whole floats as integers."""
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def main() -> None:
    """Prints samples."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--split", choices=("train", "calibration", "test"), default="train")
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", default="")
    parser.add_argument("--practice", action="store_true", help="the mixture that is trained on")
    options = parser.parse_args()
    shown = 0
    source = practice(options.seed, 0.5) if options.practice else examples(options.split, options.seed)
    for example in source:
        if options.kind in ("", example.kind):
            print(f"[{example.kind}]", *(m.content for m in example.messages[1:] or example.messages), "", sep="\n  ", end="")
            print(f"=> {example.answer}")
            shown += 1
        if shown >= options.n:
            return


if __name__ == "__main__":
    main()
