"""The graph computes what the Hugging Face files say: a Llama written again in numpy, and transformers where it is installed."""

import json
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest

from server.engines.embedded.model import Context, Model

PROMPT = [1, 4, 60, 61, 62, 63, 64, 70, 80, 2, 5]
STEPS = 24


def stored(folder: Path) -> dict[str, np.ndarray]:
    data = (folder / "model.safetensors").read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    body = data[8 + size :]
    return {name: wide(body[slice(*entry["data_offsets"])], entry["dtype"]).reshape(entry["shape"]) for name, entry in header.items()}


def wide(data: bytes, kind: str) -> np.ndarray:
    """Stored numbers in float32; bfloat16 is its upper half."""
    if kind == "BF16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, {"F16": "<f2", "F32": "<f4"}[kind]).astype(np.float32)


class Reference:
    """Llama's forward pass over a whole sequence, after its paper, without a cache."""

    def __init__(self, folder: Path) -> None:
        self.config, self.weights = json.loads((folder / "config.json").read_text()), stored(folder)
        self.heads = self.config["num_attention_heads"]
        self.kv_heads = self.config.get("num_key_value_heads") or self.heads
        self.size = self.config.get("head_dim") or self.config["hidden_size"] // self.heads

    def logits(self, ids: list[int]) -> np.ndarray:
        x = self.weights["model.embed_tokens.weight"][ids]
        for layer in range(self.config["num_hidden_layers"]):
            at = f"model.layers.{layer}"
            x = x + self.attention(self.norm(x, f"{at}.input_layernorm"), f"{at}.self_attn")
            x = x + self.mlp(self.norm(x, f"{at}.post_attention_layernorm"), f"{at}.mlp")
        return self.norm(x, "model.norm") @ self.weights["model.embed_tokens.weight"].T

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        scale = np.sqrt((x * x).mean(-1, keepdims=True) + self.config["rms_norm_eps"])
        return x / scale * self.weights[f"{name}.weight"]

    def mlp(self, x: np.ndarray, at: str) -> np.ndarray:
        gate, up = x @ self.weights[f"{at}.gate_proj.weight"].T, x @ self.weights[f"{at}.up_proj.weight"].T
        return (gate / (1 + np.exp(-gate)) * up) @ self.weights[f"{at}.down_proj.weight"].T

    def attention(self, x: np.ndarray, at: str) -> np.ndarray:
        length = len(x)
        q, k, v = ((x @ self.weights[f"{at}.{part}_proj.weight"].T).reshape(length, -1, self.size).swapaxes(0, 1) for part in "qkv")
        k, v = (np.repeat(part, self.heads // self.kv_heads, axis=0) for part in (self.rotated(k), v))
        scores = self.rotated(q) @ k.swapaxes(1, 2) / np.sqrt(self.size)
        scores = np.where(np.tri(length, dtype=bool), scores, -np.inf)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = shares / shares.sum(-1, keepdims=True) @ v
        return mixed.swapaxes(0, 1).reshape(length, -1) @ self.weights[f"{at}.o_proj.weight"].T

    def rotated(self, x: np.ndarray) -> np.ndarray:
        theta = (self.config.get("rope_parameters") or self.config)["rope_theta"]
        angles = np.outer(np.arange(x.shape[1]), theta ** (-np.arange(0, self.size, 2) / self.size)).astype(np.float32)
        first, second = np.split(x, 2, axis=-1)
        cos, sin = np.cos(angles), np.sin(angles)
        return np.concatenate((first * cos - second * sin, second * cos + first * sin), -1)


def test_greedy_tokens_equal_a_numpy_llama(folder: Path) -> None:
    model, reference = Model(folder), Reference(folder)
    context, ids, made = Context(model, PROMPT, model.empty), list(PROMPT), list[int]()
    for _ in range(STEPS):
        row, expected = context.logits(), reference.logits(ids)[-1]
        np.testing.assert_allclose(row, expected, atol=2e-3)
        made.append(int(row.argmax()))
        assert made[-1] == int(expected.argmax())
        context.push(made[-1:])
        ids += made[-1:]


def test_tokens_read_together_give_the_logits_of_tokens_read_one_by_one(folder: Path) -> None:
    model = Model(folder)
    together, apart = Context(model, PROMPT, model.empty), Context(model, PROMPT, model.empty)
    rows = together.logits_along([70, 71, 72])
    singles = []
    for token in (70, 71, 72):
        singles.append(apart.logits())
        apart.push([token])
    np.testing.assert_allclose(rows, singles, atol=1e-3)
    np.testing.assert_allclose(together.logits(), apart.logits(), atol=1e-3)


@pytest.mark.slow
def test_greedy_tokens_equal_transformers(folder: Path) -> None:
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        ids = reference.generate(torch.tensor([PROMPT]), max_new_tokens=STEPS, do_sample=False, eos_token_id=None, pad_token_id=0)
    model = Model(folder)
    context, made = Context(model, PROMPT, model.empty), list[int]()
    for _ in range(STEPS):
        made.append(int(context.logits().argmax()))
        context.push(made[-1:])
    assert made == ids[0, len(PROMPT) :].tolist()


def test_the_graph_holds_no_weights(folder: Path) -> None:
    assert (folder / "model.onnx").stat().st_size < 100_000
