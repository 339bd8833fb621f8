"""LoRA adapters of the bundled small model, made at run time, and the answers of the server under their names."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
from asking import chat, said

if TYPE_CHECKING:
    from gateway import Gateway

RANK = 8
TARGETS = ("q_proj", "v_proj")
SCALES = {"still": 0.0, "loud": 0.3}
"""Adapters by name, each with the standard deviation of its B: one that changes nothing, and one that changes everything."""
ASKED = ("Hello", "set a timer of 5 minutes", "what is the weather in Oslo?")


def write(model: Path, folder: Path) -> dict[str, str]:
    """Random adapters in PEFT's format, by name the folder of each."""
    shape = json.loads((model / "config.json").read_text())
    for name, scale in SCALES.items():
        (folder / name).mkdir()
        (folder / name / "adapter_model.safetensors").write_bytes(_safetensors(_weights(shape, scale)))
        config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": RANK, "target_modules": TARGETS, "bias": "none"}
        (folder / name / "adapter_config.json").write_text(json.dumps(config))
    return {name: str(folder / name) for name in SCALES}


def _weights(shape: dict[str, Any], scale: float) -> dict[str, Any]:
    random, size = np.random.default_rng(5), shape["hidden_size"]
    found = {}
    for layer in range(shape["num_hidden_layers"]):
        for target in TARGETS:
            name = f"base_model.model.model.layers.{layer}.self_attn.{target}"
            found[f"{name}.lora_A.weight"] = random.normal(size=(RANK, size)).astype(np.float32)
            found[f"{name}.lora_B.weight"] = (scale * random.normal(size=(size, RANK))).astype(np.float32)
    return found


def _safetensors(weights: dict[str, Any]) -> bytes:
    """The format: the length of the header in 8 bytes, the header as JSON, the numbers."""
    header, at = {}, 0
    for name, values in weights.items():
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [at, at + values.nbytes]}
        at += values.nbytes
    told = json.dumps(header).encode()
    told += b" " * (-len(told) % 8)
    return len(told).to_bytes(8, "little") + told + b"".join(values.tobytes() for values in weights.values())


async def adapted(gateway: "Gateway", client: httpx.AsyncClient) -> None:
    """One server under three names: its own, the adapter's that changes nothing, and the other's."""
    listed = {model["id"] for model in (await client.get("/v1/models")).json()["data"]}
    gateway.check("adapters are models", {f"adapted/{name}" for name in SCALES} <= listed)
    models = ("plain/small", "adapted/still", "adapted/loud")
    base, still, loud = [[said(await chat(client, model, text, max_tokens=24)) for text in ASKED] for model in models]
    gateway.check("an adapter that changes nothing answers as its model does", still == base, base[0][:60])
    gateway.check("another answers otherwise", all(one != other for one, other in zip(loud, base, strict=True)), loud[0][:60])
    form = {"structured_outputs": {"choice": ["yes", "no"]}}
    gateway.check("and is held to a form too", said(await chat(client, "adapted/loud", "Hello", **form)) in ("yes", "no"))
