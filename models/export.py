"""Builds model.onnx beside a Hugging Face Llama: a graph of a few tens of kilobytes whose weights stay in model.safetensors.

Inputs: input_ids int64 [B, T]; last int64 [1], how many of the T positions get logits; for each layer past.<layer>.key and
past.<layer>.value float32 [B, KV heads, P, head].
Outputs: logits float32 [B, last, V]; present.<layer>.key and present.<layer>.value float32 [B, KV heads, P + T, head].

Weights are initializers that point into model.safetensors by offset and length (ONNX external data), in their own type. The casts to
float32, the transposes and the joining of matrices that read the same input are nodes over constants: ONNX Runtime folds them when it
loads the session.
"""

from __future__ import annotations

import argparse
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 23
"""The first with Attention, RMSNormalization and RotaryEmbedding."""
IR = 11
DTYPES = {"F16": TensorProto.FLOAT16, "BF16": TensorProto.BFLOAT16, "F32": TensorProto.FLOAT}
WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a Llama, as its config.json states them."""

    layers: int
    heads: int
    kv_heads: int
    head: int
    epsilon: float
    theta: float
    tied: bool

    @classmethod
    def read(cls, folder: Path) -> Shape:
        """Read config.json; the rotary base stands in `rope_parameters` (transformers 5) or at the top."""
        config = json.loads((folder / "config.json").read_text())
        heads = config["num_attention_heads"]
        return cls(
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head=config.get("head_dim") or config["hidden_size"] // heads,
            epsilon=config["rms_norm_eps"],
            theta=(config.get("rope_parameters") or config)["rope_theta"],
            tied=config.get("tie_word_embeddings", False),
        )


def stored_tensors(file: Path) -> dict[str, onnx.TensorProto]:
    """One initializer without data for each tensor of a safetensors file: name, type, shape, and where its bytes lie."""
    with file.open("rb") as stream:
        (size,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(size))
    header.pop("__metadata__", None)
    return {name: _external(name, entry, 8 + size, file.name) for name, entry in header.items()}


def _external(name: str, entry: dict[str, Any], base: int, location: str) -> onnx.TensorProto:
    start, end = entry["data_offsets"]
    tensor = TensorProto(name=name, data_type=DTYPES[entry["dtype"]], dims=entry["shape"], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", base + start), ("length", end - start)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


class Graph:
    """Nodes and initializers as they are added; every method returns the name of what it made."""

    def __init__(self, stored: dict[str, onnx.TensorProto]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._stored, self._made = stored, dict[str, str]()

    def op(self, kind: str, *inputs: str, out: str = "", **attributes: object) -> str:
        """Add a node with one output."""
        return self.ops(kind, inputs, (out or f"{kind.lower()}_{len(self.nodes)}",), **attributes)[0]

    def ops(self, kind: str, inputs: tuple[str, ...], outputs: tuple[str, ...], **attributes: object) -> tuple[str, ...]:
        """Add a node with several outputs."""
        self.nodes.append(helper.make_node(kind, list(inputs), list(outputs), name=outputs[0], **attributes))
        return outputs

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """A small constant inside the graph, made once for its name."""
        if name not in self._made:
            self.initializers.append(numpy_helper.from_array(value, name))
            self._made[name] = name
        return name

    def integers(self, *values: int) -> str:
        return self.constant("int_" + "_".join(map(str, values)), np.array(values, np.int64))

    def weight(self, name: str) -> str:
        """A stored tensor in float32."""
        if name not in self._made:
            self.initializers.append(self._stored[name])
            self._made[name] = self.op("Cast", name, out=f"{name}.f32", to=TensorProto.FLOAT)
        return self._made[name]

    def linear(self, x: str, *names: str) -> str:
        """x times the transposed matrices, joined along their output where there are several."""
        weights = [self.weight(name) for name in names]
        joined = weights[0] if len(weights) == 1 else self.op("Concat", *weights, axis=0)
        return self.op("MatMul", x, self.op("Transpose", joined, perm=[1, 0]))

    def norm(self, x: str, name: str, epsilon: float) -> str:
        return self.op("RMSNormalization", x, self.weight(name), axis=-1, epsilon=epsilon)

    def split(self, x: str, *sizes: int) -> tuple[str, ...]:
        names = tuple(f"{x}.{part}" for part in range(len(sizes)))
        return self.ops("Split", (x, self.integers(*sizes)), names, axis=-1)


@dataclass(frozen=True, slots=True)
class Positions:
    """What every layer needs to know of where it stands: rotary tables [B, T, head / 2], and who may attend to whom [T, P + T]."""

    cos: str
    sin: str
    mask: str


def positions(graph: Graph, shape: Shape) -> Positions:
    """Rotary angles and causal mask, from the lengths of the inputs alone."""
    batch = graph.op("Shape", "input_ids", start=0, end=1)
    new = graph.op("Squeeze", graph.op("Shape", "input_ids", start=1, end=2))
    past = graph.op("Squeeze", graph.op("Shape", "past.0.key", start=2, end=3))
    total = graph.op("Add", past, new)
    zero, one = graph.constant("zero", np.array(0, np.int64)), graph.constant("one", np.array(1, np.int64))
    keys = graph.op("Range", zero, total, one)
    rows = graph.op("Unsqueeze", graph.op("Range", past, total, one), graph.integers(1))
    inverse = shape.theta ** (-np.arange(0, shape.head, 2, dtype=np.float32) / shape.head)
    angles = graph.op("Mul", graph.op("Cast", rows, to=TensorProto.FLOAT), graph.constant("inverse_frequency", inverse.astype(np.float32)))
    size = graph.op("Concat", batch, graph.integers(1), graph.integers(1), axis=0)
    every = graph.op("Expand", angles, size)
    return Positions(graph.op("Cos", every), graph.op("Sin", every), graph.op("LessOrEqual", keys, rows))


def attention(graph: Graph, x: str, layer: int, shape: Shape, where: Positions) -> str:
    """Grouped-query attention over past and new keys (arXiv:2305.13245) with rotary positions (arXiv:2104.09864)."""
    at = f"model.layers.{layer}.self_attn"
    wide, narrow = shape.heads * shape.head, shape.kv_heads * shape.head
    joined = graph.linear(x, f"{at}.q_proj.weight", f"{at}.k_proj.weight", f"{at}.v_proj.weight")
    query, key, value = graph.split(joined, wide, narrow, narrow)
    query = graph.op("RotaryEmbedding", query, where.cos, where.sin, num_heads=shape.heads)
    key = graph.op("RotaryEmbedding", key, where.cos, where.sin, num_heads=shape.kv_heads)
    inputs = (query, key, value, where.mask, f"past.{layer}.key", f"past.{layer}.value")
    outputs = (f"attention_{layer}", f"present.{layer}.key", f"present.{layer}.value")
    mixed = graph.ops("Attention", inputs, outputs, q_num_heads=shape.heads, kv_num_heads=shape.kv_heads)[0]
    return graph.linear(mixed, f"{at}.o_proj.weight")


def feed_forward(graph: Graph, x: str, layer: int, width: int) -> str:
    """SwiGLU (arXiv:2002.05202)."""
    at = f"model.layers.{layer}.mlp"
    gate, up = graph.split(graph.linear(x, f"{at}.gate_proj.weight", f"{at}.up_proj.weight"), width, width)
    active = graph.op("Mul", graph.op("Mul", gate, graph.op("Sigmoid", gate)), up)
    return graph.linear(active, f"{at}.down_proj.weight")


def llama(graph: Graph, shape: Shape, width: int) -> None:
    """The whole decoder, from input_ids to logits of the last positions."""
    where = positions(graph, shape)
    x = graph.op("Gather", graph.weight("model.embed_tokens.weight"), "input_ids")
    for layer in range(shape.layers):
        at = f"model.layers.{layer}"
        x = graph.op("Add", x, attention(graph, graph.norm(x, f"{at}.input_layernorm.weight", shape.epsilon), layer, shape, where))
        x = graph.op("Add", x, feed_forward(graph, graph.norm(x, f"{at}.post_attention_layernorm.weight", shape.epsilon), layer, width))
    ends = graph.constant("end", np.array([np.iinfo(np.int64).max], np.int64))
    x = graph.op("Slice", x, graph.op("Neg", "last"), ends, graph.integers(1))
    x = graph.norm(x, "model.norm.weight", shape.epsilon)
    head = "model.embed_tokens.weight" if shape.tied else "lm_head.weight"
    graph.op("Identity", graph.linear(x, head), out="logits")


def build(folder: Path) -> onnx.ModelProto:
    """The graph of the model in `folder`; raises KeyError where a tensor of the Llama architecture is missing."""
    shape, stored = Shape.read(folder), stored_tensors(folder / WEIGHTS)
    graph = Graph(stored)
    llama(graph, shape, stored["model.layers.0.mlp.gate_proj.weight"].dims[0])
    vocabulary = stored["model.embed_tokens.weight"].dims[0]
    caches = [f"{layer}.{part}" for layer in range(shape.layers) for part in ("key", "value")]

    def floats(name: str, *dims: str | int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(dims))

    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "new"])
    last = helper.make_tensor_value_info("last", TensorProto.INT64, [1])
    past = [floats(f"past.{cache}", "batch", shape.kv_heads, "past", shape.head) for cache in caches]
    present = [floats(f"present.{cache}", "batch", shape.kv_heads, "total", shape.head) for cache in caches]
    logits = floats("logits", "batch", "kept", vocabulary)
    proto = helper.make_graph(graph.nodes, "llama", [ids, last, *past], [logits, *present], graph.initializers)
    return helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="smallfirst")


def export(folder: Path) -> Path:
    """Write model.onnx into `folder` and return its path."""
    target = folder / "model.onnx"
    target.write_bytes(build(folder).SerializeToString(deterministic=True))
    onnx.checker.check_model(str(target))
    return target


def main() -> None:
    """Export the folders named on the command line."""
    parser = argparse.ArgumentParser(
        description="Build model.onnx beside a model's weights.", epilog="example: python models/export.py models/small"
    )
    parser.add_argument("folder", nargs="+", type=Path)
    for folder in parser.parse_args().folder:
        target = export(folder)
        print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
