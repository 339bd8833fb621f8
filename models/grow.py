"""Start a large model as a small one that it computes exactly: new width, heads, units and layers begin without effect.

After Net2Net (Chen et al. 2016), but new parts are read at random and written with zeros, so that nothing has to be told apart from a copy
of itself.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.llama import Shape

State = dict[str, Tensor]


def grow(state: State, small: Shape, large: Shape, fresh: State) -> State:
    """The large model's state from the small one's; ``fresh`` is the large model's own start, which new readers keep.

    Heads must have the same size in both. The norms' weights make up for the mean over more dimensions.
    """
    if small.head != large.head or small.vocab != large.vocab:
        raise ValueError("growing keeps the size of a head and the vocabulary")
    kept = places(small.layers, large.layers)
    grown = {name: tensor.clone() for name, tensor in fresh.items()}
    for name, old in state.items():
        target = renamed(name, kept)
        grown[target] = norm(old, large, small) if old.ndim == 1 else padded(target, old, grown[target])
    return grown


def places(old: int, new: int) -> list[int]:
    """Where the old layers stand among the new ones: spread, the first stays first."""
    return [index * new // old for index in range(old)]


def renamed(name: str, kept: list[int]) -> str:
    """The parameter's name with its layer's new number."""
    parts = name.split(".")
    if "layers" in parts:
        at = parts.index("layers") + 1
        parts[at] = str(kept[int(parts[at])])
    return ".".join(parts)


def norm(old: Tensor, large: Shape, small: Shape) -> Tensor:
    """A norm's weights over more dimensions, most of which are zero at first."""
    scale = (small.hidden / large.hidden) ** 0.5
    return torch.cat([old * scale, torch.full((large.hidden - small.hidden,), scale)])


def padded(name: str, old: Tensor, fresh: Tensor) -> Tensor:
    """The old block in the upper left; new readers start at random, whatever is new to be written into the stream at zero."""
    rows, columns = old.shape
    out = fresh.clone()
    if name.endswith(("embed_tokens.weight", "o_proj.weight", "down_proj.weight")):
        out.zero_()
    out[:rows, :columns] = old
    return out
