"""The tokenizer of the bundled pair: byte-level BPE in which the JSON around an answer costs few tokens."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from models.generate import Example, Message, practice
from models.grammar import ARGUMENTS

PAD, START, END = "<pad>", "<s>", "<|end|>"
ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
SPECIAL = (PAD, START, END, *ROLES.values())
VOCABULARY = 2048
TWINS = 768
SPACE = "Ġ"
REFUSAL = "Sorry, I can't do that."
# A word is cut alike after a space, a quote or a line's start: merges are learnt without the space, which only then joins the first piece.
_PIECES = r"'(?:s|t|m|d|re|ve|ll)(?![\p{L}\p{M}])|%s[\p{L}\p{M}]+|\p{N}| |[^\s\p{L}\p{M}\p{N}]|\s"
PIECES, BARE = _PIECES % " ?", _PIECES % ""
TEMPLATE = (
    "{{ '<s>' }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ '<|assistant|>' }}"
    "{% elif message['role'] in ('system', 'developer') %}{{ '<|system|>' }}"
    "{% else %}{{ '<|user|>' }}{% endif %}"
    "{{ message['content'] }}{{ '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
Ids = list[int]


def skeleton() -> list[str]:
    """The pieces of JSON that become single tokens, functions' names and keys included."""
    names = [*ARGUMENTS, *(f" {name}" for name in ARGUMENTS)]
    keys = sorted({key for keys in ARGUMENTS.values() for key in keys})
    openers = [f'"{key}":{opening}' for key in keys for opening in ('"', "") if key != "items"]
    followers = [f'{closing},"{key}":{opening}' for key in keys for closing, opening in (('"', '"'), ('"', ""), ("", '"'))]
    frame = ['{"tool_calls":[{"name":"', '","arguments":{', '{"message":"', REFUSAL, '"items":["', '","items":["', '","', '"}']
    ends = [f"{closing}}}}}{rest}" for closing in ('"', "", '"]') for rest in ("]}", ',{"name":"')]
    return [*names, *openers, *(f for f in followers if '"items"' not in f), *frame, *ends]


def around(model: models.Model, pieces: str) -> Tokenizer:
    """A byte-level tokenizer that cuts text into such pieces first."""
    tokenizer = Tokenizer(model)
    split = pre_tokenizers.Split(Regex(pieces), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def train(texts: Iterable[str], size: int = VOCABULARY) -> Tokenizer:
    """Learn the merges from texts; special tokens first, then bytes and merges, the twins, the skeleton of JSON."""
    pieces = [AddedToken(piece, normalized=False, special=False) for piece in skeleton()]
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(pieces) - TWINS,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    known = list(texts)
    tokenizer = around(models.BPE(), BARE)
    tokenizer.train_from_iterator(known, trainer)
    tokenizer = twinned(tokenizer, known)
    tokenizer.add_tokens(pieces)
    return tokenizer


def twinned(tokenizer: Tokenizer, texts: list[str]) -> Tokenizer:
    """The tokenizer with a second token for each piece that most often begins a word behind a space: the two joined."""
    counts: Counter[str] = Counter()
    for encoding in tokenizer.encode_batch(texts):
        counts.update(after for before, after in pairwise(encoding.tokens) if before == SPACE and after.isalpha())
    state = json.loads(tokenizer.to_str())["model"]
    vocabulary, merges = dict(state["vocab"]), [tuple(merge) for merge in state["merges"]]
    for piece, _ in counts.most_common(TWINS):
        vocabulary[SPACE + piece] = len(vocabulary)
        merges.append((SPACE, piece))
    joined = around(models.BPE(vocabulary, merges), PIECES)
    joined.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return joined


def twins(tokenizer: Tokenizer) -> list[tuple[int, int]]:
    """The ids of every piece behind a space and of the piece itself."""
    vocabulary = tokenizer.get_vocab()
    return [(number, vocabulary[text[1:]]) for text, number in vocabulary.items() if text[0] == SPACE and text[1:] in vocabulary]


def corpus(seed: int, count: int = 40_000) -> Iterator[str]:
    """Generated text without the pieces that are single tokens anyway."""
    pieces = sorted(skeleton(), key=len, reverse=True)
    for example in islice(practice(seed, 0.5), count):
        for text in (*(message.content for message in example.messages), example.answer):
            for piece in pieces:
                text = text.replace(piece, "\n")
            yield text


def render(messages: Iterable[Message]) -> str:
    """The prompt that the chat template makes of messages, ready for the answer."""
    return START + "".join(f"{ROLES[m.role]}{m.content}{END}" for m in messages) + ROLES["assistant"]


def special_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """The id of every special token."""
    ids = {token: tokenizer.token_to_id(token) for token in SPECIAL}
    return {token: number for token, number in ids.items() if number is not None}


class Encoder:
    """Turns examples into token ids; nothing that a user writes becomes a special token."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self.tokenizer.encode_special_tokens = True
        self.id = special_ids(tokenizer)

    def encode(self, batch: list[Example]) -> list[tuple[Ids, Ids]]:
        """The ids of every prompt and of its answer, the answer closed by the end token."""
        texts = [text for e in batch for text in (*(m.content for m in e.messages), e.answer)]
        ids = iter(encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False))
        return [self._one(example, ids) for example in batch]

    def _one(self, example: Example, ids: Iterator[Ids]) -> tuple[Ids, Ids]:
        prompt = [self.id[START]]
        for message in example.messages:
            prompt += [self.id[ROLES[message.role]], *next(ids), self.id[END]]
        return [*prompt, self.id[ROLES["assistant"]]], [*next(ids), self.id[END]]


def settings(context: int) -> dict[str, Any]:
    """The content of tokenizer_config.json."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": START,
        "eos_token": END,
        "pad_token": PAD,
        "additional_special_tokens": list(ROLES.values()),
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
        "chat_template": TEMPLATE,
    }


def save(tokenizer: Tokenizer, folder: Path, context: int = 1024) -> None:
    """Write tokenizer.json and tokenizer_config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings(context), indent=2) + "\n")
