"""Muon: momentum whose matrices are made orthogonal before they are applied (Jordan et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonal(batch: Tensor, steps: int = 4) -> Tensor:
    """The nearest orthogonal matrices by Newton-Schulz iteration; (count, rows, columns), rows <= columns, in bfloat16."""
    a, b, c = COEFFICIENTS
    x = (batch / (batch.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(steps):
        gram = torch.bmm(x, x.transpose(1, 2))
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


class Muon:
    """The optimizer of all matrices inside the layers; matrices of one shape are worked on together."""

    def __init__(self, matrices: Iterable[Tensor], momentum: float = 0.95, decay: float = 0.1) -> None:
        self.groups: dict[tuple[int, ...], list[Tensor]] = {}
        for matrix in matrices:
            self.groups.setdefault(tuple(matrix.shape), []).append(matrix)
        self.momentum, self.decay = momentum, decay
        self.memory = {shape: torch.zeros(len(group), *shape) for shape, group in self.groups.items()}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Apply and clear the gradients; ``rate`` is the spectral norm of a square matrix's update.

        Every update has that size, whatever the gradient says: without decay the noise in it would pile up in the weights for ever.
        """
        for shape, group in self.groups.items():
            grads = torch.stack([matrix.grad for matrix in group if matrix.grad is not None])
            memory = self.memory[shape] = self.memory[shape].to(grads.device)
            memory.lerp_(grads, 1 - self.momentum)
            update = self._direction(grads.lerp_(memory, self.momentum)).float()
            torch._foreach_mul_(group, 1 - rate * self.decay)
            torch._foreach_add_(group, list(update.unbind()), alpha=-rate * max(1.0, shape[0] / shape[1]) ** 0.5)
            for matrix in group:
                matrix.grad = None

    def _direction(self, update: Tensor) -> Tensor:
        if update.shape[1] <= update.shape[2]:
            return orthogonal(update)
        return orthogonal(update.transpose(1, 2)).transpose(1, 2)
