"""One Llama on ONNX Runtime: token ids in, logits out, with the keys and values of what was read before."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.engines.embedded.quiet import runtime as ort

Logits = NDArray[np.float32]
Past = Mapping[str, Any]
"""Keys and values by input name; never changed in place, so any number of continuations may share one."""


class Model:
    """A session on one core; `run` may be called from several threads at once."""

    def __init__(self, folder: Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = ort.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._inputs = [name.replace("present.", "past.") for name in self._outputs[1:]]
        heads, size = next((i.shape[1], i.shape[3]) for i in self._session.get_inputs() if i.name == self._inputs[0])
        nothing = _value(np.zeros((1, heads, 0, size), np.float32))
        self.empty: Past = dict.fromkeys(self._inputs, nothing)
        self._one = _value(np.array([1], np.int64))

    def run(self, ids: Sequence[int], past: Past, last: int = 1) -> tuple[Logits, Past]:
        """Read `ids` after `past`; logits [last, V] of the last positions, and the past for what follows."""
        count = self._one if last == 1 else _value(np.array([last], np.int64))
        feeds = {"input_ids": _value(np.array([ids], np.int64)), "last": count, **past}
        logits, *present = self._session.run_with_ort_values(self._outputs, feeds)
        return logits.numpy()[0], dict(zip(self._inputs, present, strict=True))


class Context:
    """One sequence as it grows: tokens wait in `_pending` until somebody needs logits, so that forced ones are read in one pass."""

    def __init__(self, model: Model, ids: Sequence[int], past: Past) -> None:
        self._model, self._pending, self._past = model, list(ids), past

    def push(self, ids: Sequence[int]) -> None:
        """Append tokens."""
        self._pending += ids

    def logits(self) -> Logits:
        """[V] for the token that comes next."""
        rows, self._past = self._model.run(self._pending, self._past)
        self._pending = []
        last: Logits = rows[0]
        return last

    def logits_along(self, ids: Sequence[int]) -> Logits:
        """[len(ids), V]: for each of `ids` what the model expected in its place; appends them."""
        rows, self._past = self._model.run([*self._pending, *ids[:-1]], self._past, len(ids))
        self._pending = list(ids[-1:])
        return rows


def _value(array: NDArray[Any]) -> Any:
    return ort.OrtValue.ortvalue_from_numpy(array)
