"""A small Llama whose weights carry Hugging Face names: training forward pass and batched greedy decoding."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

Cache = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes that define one model."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    kv_heads: int
    vocab: int = 2048
    theta: float = 1e5
    eps: float = 1e-5
    context: int = 1024

    @property
    def head(self) -> int:
        """Width of one attention head."""
        return self.hidden // self.heads


class RMSNorm(nn.Module):
    """Root mean square normalisation with a learnt gain (Zhang and Sennrich 2019)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis in float32; (..., width) -> the same shape and type."""
        wide = x.float()
        return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps) * self.weight).to(x.dtype)


def linear(x: Tensor, *layers: nn.Linear) -> Tensor:
    """Apply several bias-free layers to one input as a single product in the input's type."""
    weights = [layer.weight for layer in layers]
    return functional.linear(x, (torch.cat(weights) if len(weights) > 1 else weights[0]).to(x.dtype))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding, halves convention; x (batch, length, heads, head), cos and sin (..., length, 1, head / 2)."""
    first, second = x.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)


def swiglu(x: Tensor) -> Tensor:
    """The gated activation of a fused (gate, up) product; the last axis halves."""
    gate, up = x.chunk(2, -1)
    return functional.silu(gate) * up


def causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention in plain products; (batch, heads, length, head) -> the same shape.

    On short sequences its backward pass takes a third of the time of PyTorch's fused kernel on a CPU.
    """
    heads, length = q.shape[1:3]
    q, k, v = (x.flatten(0, 1) for x in (q, k, v))
    future = torch.full((length, length), -torch.inf, dtype=q.dtype, device=q.device).triu(1)
    scores = torch.baddbmm(future, q, k.transpose(1, 2), alpha=q.shape[2] ** -0.5)
    return torch.bmm(scores.softmax(-1), v).unflatten(0, (-1, heads))


class Attention(nn.Module):
    """Causal self-attention with grouped keys and values."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        narrow = shape.kv_heads * shape.head
        self.q_proj = nn.Linear(shape.hidden, shape.hidden, bias=False)
        self.k_proj = nn.Linear(shape.hidden, narrow, bias=False)
        self.v_proj = nn.Linear(shape.hidden, narrow, bias=False)
        self.o_proj = nn.Linear(shape.hidden, shape.hidden, bias=False)

    def project(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each (batch, heads, length, head), positions applied."""
        batch, length, _ = x.shape
        turned = self.shape.heads + self.shape.kv_heads
        joint = linear(x, self.q_proj, self.k_proj, self.v_proj).view(batch, length, -1, self.shape.head)
        both = rotate(joint[:, :, :turned], cos, sin).transpose(1, 2)
        return both[:, : self.shape.heads], both[:, self.shape.heads :], joint[:, :, turned:].transpose(1, 2)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """Mix the values; causal where no mask is given; (batch, length, hidden)."""
        if self.shape.heads != self.shape.kv_heads:
            repeats = self.shape.heads // self.shape.kv_heads
            k, v = k.repeat_interleave(repeats, 1), v.repeat_interleave(repeats, 1)
        if mask is None and q.device.type == "cpu":
            mixed = causal(q, k, v)
        else:
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        return mixed.transpose(1, 2).flatten(2)


class MLP(nn.Module):
    """The SwiGLU feed-forward block (Shazeer 2020)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.intermediate, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.intermediate, bias=False)
        self.down_proj = nn.Linear(shape.intermediate, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., hidden) -> the same shape."""
        return linear(swiglu(linear(x, self.gate_proj, self.up_proj)), self.down_proj)


class Layer(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = MLP(shape)
        self.input_layernorm = RMSNorm(shape.hidden, shape.eps)
        self.post_attention_layernorm = RMSNorm(shape.hidden, shape.eps)

    def mix(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Causal attention without the output projection; (batch, length, hidden)."""
        return self.self_attn.attend(*self.self_attn.project(self.input_layernorm(x), cos, sin), None)

    def finish(self, x: Tensor, mixed: Tensor) -> Tensor:
        """Output projection, residuals and feed-forward block, position by position."""
        x = x + linear(mixed, self.self_attn.o_proj)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    """Embedding, layers and last norm, under the name that checkpoints use."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.hidden, shape.eps)


class Llama(nn.Module):
    """A Llama with tied embeddings; state_dict() has Hugging Face names."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Body(shape)
        self.apply(self._start)

    def _start(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02 if isinstance(module, nn.Embedding) else self.shape.hidden**-0.5)
        if isinstance(module, Layer):
            nn.init.zeros_(module.self_attn.o_proj.weight)
            nn.init.zeros_(module.mlp.down_proj.weight)

    @torch.no_grad()
    def join_twins(self, twins: list[tuple[int, int]]) -> None:
        """Start every token of a piece behind a space as that piece, all moved alike."""
        table = self.model.embed_tokens.weight
        behind, plain = (torch.tensor(ids) for ids in zip(*twins, strict=True))
        table[behind] = table[plain] + table[0].clone()

    def rope(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Cosine and sine tables of the positions, with an axis for the heads: (..., length, 1, head / 2)."""
        steps = torch.arange(0, self.shape.head, 2, device=positions.device).float() / self.shape.head
        angles = positions.float()[..., None, None] * self.shape.theta**-steps
        return angles.cos().to(dtype), angles.sin().to(dtype)

    def forward(self, ids: Tensor, keep: Tensor | None = None, dtype: torch.dtype = torch.float32) -> Tensor:
        """Logits after every position, or after the kept ones of the flattened batch only: (kept, vocab).

        ids is (batch, length), padded on the right; keep holds indices into the flattened batch.
        """
        x = functional.embedding(ids, self.model.embed_tokens.weight).to(dtype)
        cos, sin = self.rope(torch.arange(ids.shape[1], device=ids.device), dtype)
        *early, last = self.model.layers
        for layer in early:
            x = layer.finish(x, layer.mix(x, cos, sin))
        mixed = last.mix(x, cos, sin)
        if keep is not None:
            x, mixed = x.flatten(0, 1)[keep], mixed.flatten(0, 1)[keep]
        return self.logits(last.finish(x, mixed))

    def logits(self, x: Tensor) -> Tensor:
        """Scores over the vocabulary from the last hidden states."""
        return functional.linear(self.model.norm(x), self.model.embed_tokens.weight.to(x.dtype))

    def advance(self, ids: Tensor, positions: Tensor, mask: Tensor, cache: Cache) -> Tensor:
        """Logits (batch, vocab) after the last of the new ids; the cache grows in place.

        mask is (batch, 1, new, old + new), true where a query may look.
        """
        x = self.model.embed_tokens(ids)
        cos, sin = self.rope(positions, x.dtype)
        for index, layer in enumerate(self.model.layers):
            q, k, v = layer.self_attn.project(layer.input_layernorm(x), cos, sin)
            if len(cache) > index:
                k, v = torch.cat((cache[index][0], k), 2), torch.cat((cache[index][1], v), 2)
            cache[index : index + 1] = [(k, v)]
            x = layer.finish(x, layer.self_attn.attend(q, k, v, mask))
        return self.logits(x[:, -1])

    @torch.inference_mode()
    def greedy(self, prompts: list[list[int]], stop: int, limit: int = 160) -> list[list[int]]:
        """Greedy continuations of a batch of prompts, each without its stop token."""
        device = self.model.embed_tokens.weight.device
        width = max(map(len, prompts))
        ids = torch.tensor([[stop] * (width - len(p)) + p for p in prompts], device=device)
        seen = torch.tensor([[False] * (width - len(p)) + [True] * len(p) for p in prompts], device=device)
        positions = (seen.long().cumsum(1) - 1).clamp_min(0)
        causal = torch.ones(width, width, dtype=torch.bool, device=device).tril()
        # A padded query looks at itself, so that its softmax is defined.
        mask = (causal & seen[:, None]) | torch.eye(width, dtype=torch.bool, device=device)
        cache: Cache = []
        new = self.advance(ids, positions, mask[:, None], cache).argmax(-1)
        said, done = [new], new == stop
        while len(said) < limit and not bool(done.all()):
            seen = functional.pad(seen, (0, 1), value=True)
            positions = positions[:, -1:] + 1
            new = self.advance(new[:, None], positions, seen[:, None, None], cache).argmax(-1)
            said.append(new)
            done = done | (new == stop)
        rows = torch.stack(said, 1).tolist()
        return [row[: row.index(stop)] if stop in row else row for row in rows]
