"""Exact match of a model's unguided greedy answers, by kind, and how many of them are valid JSON.

``python models/evaluate.py models/small --split test --n 1000`` prints a table.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

if __name__ == "__main__":  # Run as a script, the repository's root is not on the path.
    sys.path.insert(0, str(Path(__file__).absolute().parents[1]))

from models.generate import Example, examples, same_answer
from models.llama import Llama
from models.publish import read
from models.tokenizer import END, Encoder


@dataclass(frozen=True, slots=True)
class Answered:
    """An example with what the model said."""

    example: Example
    said: str

    @property
    def right(self) -> bool:
        """Whether the answer means what it should."""
        return same_answer(self.said, self.example.answer)

    @property
    def valid(self) -> bool:
        """Whether the answer is JSON."""
        try:
            json.loads(self.said)
        except ValueError:
            return False
        return True


def answer(model: Llama, encoder: Encoder, batch: list[Example], limit: int = 160) -> list[str]:
    """Greedy answers of a batch without any constraint."""
    prompts = [prompt for prompt, _ in encoder.encode(batch)]
    said = model.greedy(prompts, encoder.id[END], limit)
    return [encoder.tokenizer.decode(ids, skip_special_tokens=False) for ids in said]


def evaluate(model: Llama, encoder: Encoder, sample: Iterable[Example], size: int = 100) -> list[Answered]:
    """Answers to a sample, worked on in batches of similar length."""
    ordered = sorted(sample, key=lambda e: sum(len(m.content) for m in e.messages))
    batches = [ordered[i : i + size] for i in range(0, len(ordered), size)]
    return [Answered(e, said) for b in batches for e, said in zip(b, answer(model, encoder, b), strict=True)]


def share(flags: Iterable[bool]) -> float:
    """The share of true flags, 0 where there are none."""
    flags = list(flags)
    return sum(flags) / len(flags) if flags else 0.0


def summary(answers: list[Answered]) -> str:
    """One line: exact match on easy and on hard requests, validity."""
    easy, hard = (share(a.right for a in answers if a.example.hard == side) for side in (False, True))
    return f"exact easy {easy:.3f} hard {hard:.3f} json {share(a.valid for a in answers):.3f}"


def table(answers: list[Answered]) -> str:
    """Exact match by kind."""
    kinds: dict[str, list[bool]] = defaultdict(list)
    for a in answers:
        kinds[a.example.kind].append(a.right)
    rows = sorted(kinds.items(), key=lambda item: share(item[1]))
    return "\n".join(f"{kind:12} {share(flags):.3f}  of {len(flags)}" for kind, flags in rows)


def errors(answers: list[Answered], count: int) -> str:
    """Some wrong answers: request, expected, said."""
    wrong = [a for a in answers if not a.right][:: max(1, sum(not a.right for a in answers) // max(count, 1))]
    parts = ((a.example.kind, a.example.messages[-1].content, a.example.answer, a.said) for a in wrong[:count])
    return "\n".join(f"[{kind}] {request}\n  want {want}\n  said {said}" for kind, request, want, said in parts)


def main() -> None:
    """Read a model directory, answer held-out requests, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--split", choices=("train", "calibration", "test"), default="test")
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--errors", type=int, default=0, help="how many wrong answers to print")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, tokenizer = read(options.model)
    answers = evaluate(model, Encoder(tokenizer), islice(examples(options.split, options.seed), options.n))
    print(table(answers), summary(answers), errors(answers, options.errors), sep="\n")


if __name__ == "__main__":
    main()
