"""Guided decoding: a contract becomes a grammar over bytes (Outlines' llguidance backend), a grammar a mask over tokens."""

import json
import re
from collections import OrderedDict
from threading import Lock
from types import SimpleNamespace
from typing import Any

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from numpy.typing import NDArray

from router.contract import constrain
from router.errors import EngineRejected
from router.types import Contract

Mask = NDArray[np.bool_]
COMPACT = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}
"""The models learnt JSON without whitespace, and whitespace costs tokens."""
REMEMBERED = 128
"""Compiled grammars kept for each model."""


class Guide:
    """Where one answer stands in its grammar; every method raises EngineRejected once the grammar has outgrown its limits."""

    def __init__(self, matcher: LLMatcher, size: int) -> None:
        self._matcher, self._size = matcher, size

    @property
    def done(self) -> bool:
        """Nothing may follow any more."""
        stopped = bool(self._matcher.is_stopped())
        if stopped:
            self._sound()
        return stopped

    def forced(self) -> list[int]:
        """The tokens of the bytes that must follow, as the tokenizer itself would write them; empty where there is a choice."""
        return list(self._matcher.compute_ff_tokens())

    def allowed(self) -> Mask:
        """[V], which tokens may follow; the end token among them where the answer may end here."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        self._sound()
        return np.unpackbits(bits, bitorder="little")[: self._size].view(np.bool_)

    def accept(self, ids: list[int]) -> None:
        """Move on."""
        self._matcher.consume_tokens(ids)
        self._sound()

    def _sound(self) -> None:
        if self._matcher.is_error():
            raise EngineRejected(f"guided decoding failed: {_first_line(self._matcher.get_error())}")


class Grammars:
    """Compiled grammars of one tokenizer, the most recently used ones kept; safe to share among threads."""

    def __init__(self, tokenizer: LLTokenizer) -> None:
        self._tokenizer, self._size = tokenizer, tokenizer.vocab_size
        self._backend = _backend(tokenizer)
        self._compiled: OrderedDict[tuple[str, str], LLMatcher | EngineRejected] = OrderedDict()
        self._lock = Lock()

    def guide(self, contract: Contract) -> Guide | None:
        """A fresh guide, or None where the contract leaves the text free; raises EngineRejected where it cannot be compiled."""
        if contract.kind == "none":
            return None
        found = self._remembered((contract.kind, source(contract)))
        if isinstance(found, EngineRejected):
            raise EngineRejected(found.message)
        return Guide(found.deep_copy(), self._size)

    def _remembered(self, key: tuple[str, str]) -> LLMatcher | EngineRejected:
        with self._lock:
            if key in self._compiled:
                self._compiled.move_to_end(key)
                return self._compiled[key]
        compiled = self._compile(*key)
        with self._lock:
            self._compiled[key] = compiled
            if len(self._compiled) > REMEMBERED:
                self._compiled.popitem(last=False)
        return compiled

    def _compile(self, kind: str, text: str) -> LLMatcher | EngineRejected:
        """A JSON Schema with keywords that the grammar cannot express is compiled without them: a looser guide, never a wrong one."""
        matcher = self._matcher(kind, text)
        if matcher.is_error() and kind in ("json_schema", "json_object", "tools"):
            matcher = self._matcher(kind, text, lenient=True)
        if matcher.is_error():
            return EngineRejected(f"the {kind} contract cannot be compiled to a grammar: {_first_line(matcher.get_error())}")
        return matcher

    def _matcher(self, kind: str, text: str, *, lenient: bool = False) -> LLMatcher:
        processor = self._processor(kind, text, lenient)
        return LLMatcher(self._tokenizer, processor.grammar, log_level=0)

    def _processor(self, kind: str, text: str, lenient: bool) -> Any:
        if kind == "grammar":
            return self._backend.get_cfg_logits_processor(text)
        if kind in ("regex", "choice"):
            return self._backend.get_regex_logits_processor(text)
        guided = {**json.loads(text), "x-guidance": {**COMPACT, "lenient": lenient}}
        return self._backend.get_json_schema_logits_processor(json.dumps(guided, ensure_ascii=False))


def source(contract: Contract) -> str:
    """What is compiled: a schema in its own order of properties, a pattern for regex and choice, the grammar itself."""
    if contract.kind == "choice":
        return "|".join(re.escape(choice) for choice in contract.choices)
    if contract.kind in ("regex", "grammar"):
        return contract.text
    return json.dumps(constrain(contract), ensure_ascii=False)


def _backend(tokenizer: LLTokenizer) -> Any:
    from outlines.backends.llguidance import LLGuidanceBackend  # late: it imports every client library that it finds installed

    class Backend(LLGuidanceBackend):  # type: ignore[misc] # Outlines comes without types
        """Outlines' backend over a tokenizer of our own instead of a transformers model."""

        def _create_llg_tokenizer(self, model: object) -> LLTokenizer:  # noqa: ARG002
            return tokenizer

    return Backend(SimpleNamespace(tensor_library_name="numpy"))


def _first_line(error: str) -> str:
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    return next((line for line in lines if line.startswith("error:")), lines[0] if lines else "unknown")[:200]
