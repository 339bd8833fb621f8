"""Text to token ids and back, such that a user's text never becomes a special token."""

import codecs
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from llguidance import LLTokenizer
from numpy.typing import NDArray
from tokenizers import Tokenizer

from router.errors import ConfigError
from router.types import Message

ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
START, END = "<s>", "<|end|>"


class Vocabulary:
    """The tokenizer of one model with its chat format: `<s>`, then `<|role|>` content `<|end|>` for each message, then `<|assistant|>`.

    By token id: `bytes` (none for special tokens), `texts` to show, `plain` [size], whether it may be drawn without a contract.
    """

    def __init__(self, folder: Path, size: int) -> None:
        source = (folder / "tokenizer.json").read_text(encoding="utf-8")
        self._tokenizer = Tokenizer.from_str(source)
        self._tokenizer.encode_special_tokens = True
        self._roles = {role: self._id(token) for role, token in ROLES.items()}
        self._start, self.end = self._id(START), self._id(END)
        self.guidance = LLTokenizer(source, n_vocab=size, eos_token=self.end)
        self.size = size
        self.bytes = tuple(b"" if self.guidance.is_special_token(token) else self.guidance.decode_bytes([token]) for token in range(size))
        self.texts = tuple(self._shown(token) for token in range(size))
        self.plain = np.array([token == self.end or not self.guidance.is_special_token(token) for token in range(size)])

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; special tokens spelt out in it stay text."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def beginning(self, text: str) -> NDArray[np.bool_]:
        """[size], which tokens begin with this text."""
        start = text.encode()
        return np.array([piece.startswith(start) for piece in self.bytes])

    def prompt(self, messages: Iterable[Message]) -> list[int]:
        """Ids of a conversation that the assistant is to continue; roles must be system, user or assistant."""
        ids = [self._start]
        for message in messages:
            ids += [self._roles[message.role], *self.encode(message.text), self.end]
        return [*ids, self._roles["assistant"]]

    def _id(self, token: str) -> int:
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise ConfigError(f"tokenizer.json has no token {token}")
        return int(found)

    def _shown(self, token: int) -> str:
        return self.bytes[token].decode("utf-8", "replace") or self._tokenizer.id_to_token(token) or ""


class TextStream:
    """Bytes of tokens to text, never a part of a character: a token that ends inside one gives its text with the next."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, piece: bytes) -> str:
        return self._decoder.decode(piece)


def sizes(folder: Path) -> tuple[int, int]:
    """(positions, vocabulary size) as config.json states them."""
    config = json.loads((folder / "config.json").read_text())
    return config["max_position_embeddings"], config["vocab_size"]
