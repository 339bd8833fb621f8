"""Train the bundled pair from scratch: tokenizer, small model, large model, each written in Hugging Face's format.

``python models/train.py`` does all of it; ``--only small --minutes 35`` one part in a given time. A run that was stopped goes on
from its last checkpoint in models/runs/. Data, order and initial weights follow from the seed; the arithmetic of a
different processor, thread count or time limit changes the last digits, and with ``--minutes`` the number of steps.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

if __name__ == "__main__":  # Run as a script, the repository's root is not on the path.
    sys.path.insert(0, str(Path(__file__).absolute().parents[1]))

from models import publish
from models import tokenizer as tokens
from models.evaluate import evaluate, summary
from models.generate import echo, examples, practice
from models.grammar import ARGUMENTS
from models.llama import Llama, Shape
from models.muon import Muon

Pair = tuple[list[int], list[int]]
POOL = 4096
LONGEST = 400
ECHO_LOSS = 0.6
WARM_STEPS = 40
WORTH_TESTING = 0.4
# Whether to call, what, and when to stop are decided in single tokens, which a plain mean over tokens drowns.
DECISION = 3.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How one model is trained: tokens in all, share of hard requests, tokens a step, learning rates."""

    shape: Shape
    tokens: int
    hard: float
    step: int = 2048
    matrix_rate: float = 0.006
    vector_rate: float = 2e-3


PLANS = {
    "small": Plan(Shape(hidden=128, layers=4, heads=4, kv_heads=4, intermediate=384), 17_000_000, 0.45),
    "large": Plan(Shape(hidden=256, layers=6, heads=8, kv_heads=8, intermediate=704), 12_000_000, 0.5),
}


@dataclass(slots=True)
class Progress:
    """Where a run stands; ``pool`` and ``batch`` are the data's position."""

    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    warm: bool = False
    loss: float = 9.0
    pool: int = 0
    batch: int = 0


def batches(pairs: list[Pair], size: int, rng: Random) -> list[list[Pair]]:
    """Pairs of similar length together, about ``size`` tokens a batch, in random order."""
    out: list[list[Pair]] = [[]]
    for pair in sorted((p for p in pairs if len(p[0]) + len(p[1]) <= LONGEST), key=lambda p: len(p[0]) + len(p[1])):
        if out[-1] and (len(out[-1]) + 1) * (len(pair[0]) + len(pair[1])) > size:
            out.append([])
        out[-1].append(pair)
    rng.shuffle(out)
    return out


def tensors(batch: list[Pair], pad: int) -> tuple[Tensor, Tensor, Tensor]:
    """Padded ids (batch, length), flat positions whose next token is part of an answer, and those tokens."""
    length = max(len(p) + len(a) for p, a in batch)
    ids = torch.tensor([p + a + [pad] * (length - len(p) - len(a)) for p, a in batch])
    places = [(row * length + len(p) - 1, len(a)) for row, (p, a) in enumerate(batch)]
    keep = torch.tensor([start + i for start, count in places for i in range(count)])
    return ids, keep, ids.flatten()[keep + 1]


def decisions(encoder: tokens.Encoder) -> Tensor:
    """A weight for every token of the vocabulary, higher where it decides on the form of the answer."""
    weights = torch.ones(encoder.tokenizer.get_vocab_size())
    for text, index in encoder.tokenizer.get_vocab().items():
        if text in ARGUMENTS or '{"name":"' in text or "]}" in text or '{"message":"' in text:
            weights[index] = DECISION
    return weights


class Run:
    """One model's training, from its first step or its last checkpoint to the end of the plan."""

    def __init__(self, name: str, options: argparse.Namespace, tokenizer: Tokenizer) -> None:
        self.name, self.options, self.plan = name, options, PLANS[name]
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(options.seed)
        self.model = Llama(self.plan.shape).to(self.device)
        self.tokenizer, self.encoder = tokenizer, tokens.Encoder(tokenizer)
        inner = [p for p in self.model.model.layers.parameters() if p.ndim == 2]
        self.muon = Muon(inner)
        matrices = {id(p) for p in inner}
        rest = [p for p in self.model.parameters() if id(p) not in matrices]
        self.adam = torch.optim.AdamW(rest, lr=self.plan.vector_rate, betas=(0.9, 0.95), weight_decay=0.0)
        self.weights = decisions(self.encoder).to(self.device)
        self.progress = Progress()
        self.path = options.out / "runs" / f"{name}.pt"
        if self.path.exists():
            self._load()
        else:
            self.model.join_twins(tokens.twins(tokenizer))
        self.forward = torch.compile(self.model, dynamic=True) if options.compile else self.model

    def _load(self) -> None:
        saved = torch.load(self.path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.adam.load_state_dict(saved["adam"])
        self.muon.memory = saved["muon"]
        self.progress = Progress(**saved["progress"])

    def save(self) -> None:
        """Write a checkpoint; a kill in between leaves the last one whole."""
        content = {"model": self.model.state_dict(), "adam": self.adam.state_dict(), "muon": self.muon.memory}
        unfinished = self.path.with_suffix(".new")
        torch.save({**content, "progress": asdict(self.progress)}, unfinished)
        unfinished.replace(self.path)

    def done(self) -> float:
        """The share of the plan that is behind, 0 to 1: of the time where a time was given, else of the tokens."""
        if self.options.minutes:
            return min(1.0, self.progress.seconds / (60 * float(self.options.minutes)))
        return min(1.0, self.progress.tokens / int(self.options.tokens or self.plan.tokens))

    def pool(self) -> list[list[Pair]]:
        """The batches of the current pool: echoes until the model copies, then everything."""
        seed = self.options.seed * 1_000_003 + self.progress.pool
        source = practice(seed, self.plan.hard) if self.progress.warm else echo(seed)
        return batches(self.encoder.encode(list(islice(source, POOL))), self.plan.step, Random(seed))

    def stream(self) -> Iterator[list[Pair]]:
        """Batches from the current position on; a pool ends early when the warm-up does."""
        while True:
            warm, pool = self.progress.warm, self.pool()
            while self.progress.batch < len(pool) and warm == self.progress.warm:
                self.progress.batch += 1
                yield pool[self.progress.batch - 1]
            self.progress.pool, self.progress.batch = self.progress.pool + 1, 0

    def step(self, batch: list[Pair]) -> None:
        """One update; the rates rise over the first steps and fall linearly to nothing."""
        ids, keep, target = (t.to(self.device) for t in tensors(batch, self.encoder.id[tokens.PAD]))
        logits = self.forward(ids, keep, torch.bfloat16 if self.options.bf16 else torch.float32)
        losses = functional.cross_entropy(logits.float(), target, reduction="none")
        loss = losses.mean()
        weights = self.weights[target] if self.progress.warm else torch.ones_like(losses)
        ((losses * weights).sum() / weights.sum()).backward()
        factor = min(1.0, (self.progress.steps + 1) / WARM_STEPS) * (1 - self.done())
        self.adam.param_groups[0]["lr"] = self.plan.vector_rate * factor
        self.adam.step()
        self.adam.zero_grad()
        self.muon.step(self.plan.matrix_rate * factor)
        self._count(loss.item(), ids.numel())

    def _count(self, loss: float, size: int) -> None:
        self.progress.loss += (loss - self.progress.loss) * 0.05
        self.progress.steps += 1
        self.progress.tokens += size
        self.progress.warm = self.progress.warm or self.progress.loss < ECHO_LOSS

    def report(self, speed: float, count: int = 300) -> None:
        """Print loss, speed and exact match on held-out requests of the calibration split."""
        p = self.progress
        line = "warming up" if not p.warm else "not worth testing yet"
        if p.warm and p.loss < WORTH_TESTING:
            line = summary(evaluate(self.model, self.encoder, islice(examples("calibration", 7), count)))
        print(
            f"{self.name} {self.done():6.1%} {p.seconds / 60:.1f} min step {p.steps} tokens {p.tokens / 1e6:.2f} M "
            f"loss {p.loss:.4f} {speed:.0f} tokens/s {line}",
            flush=True,
        )

    def train(self) -> None:
        """Go on to the plan's end, then write the model's directory."""
        start, before, shown, first = time.monotonic(), self.progress.seconds, time.monotonic(), self.progress.tokens
        for batch in self.stream() if self.done() < 1 else ():
            self.step(batch)
            now = time.monotonic()
            self.progress.seconds = before + now - start
            if now - shown > self.options.every or self.done() >= 1:
                self.report((self.progress.tokens - first) / (now - shown))
                self.save()
                shown, first = time.monotonic(), self.progress.tokens
            if self.done() >= 1:
                break
        publish.write(self.model, self.tokenizer, self.options.out / self.name)


def shared_tokenizer(options: argparse.Namespace) -> Tokenizer:
    """The pair's tokenizer, trained once."""
    path = options.out / "runs" / "tokenizer.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        tokens.train(tokens.corpus(options.seed)).save(str(path))
    return Tokenizer.from_file(str(path))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("tokenizer", "small", "large"))
    parser.add_argument("--minutes", type=float, help="train each model for this long instead of for its tokens")
    parser.add_argument("--tokens", type=int, help="tokens to train each model on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="cores to use, 0 for all")
    parser.add_argument("--every", type=float, default=180, help="seconds between two checkpoints")
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, default=False, help="compile the step, which needs a C++ compiler"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).absolute().parent)
    return parser.parse_args()


def main() -> None:
    """Train what was asked for, or all of it."""
    options = parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    tokenizer = shared_tokenizer(options)
    for name in PLANS if options.only is None else [options.only]:
        if name in PLANS:
            Run(name, options, tokenizer).train()


if __name__ == "__main__":
    main()
