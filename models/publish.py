"""The pair's weights in Hugging Face's format: written once trained, read back for evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from models import tokenizer as tokens
from models.llama import Llama, Shape


def settings(shape: Shape, ids: dict[str, int]) -> dict[str, Any]:
    """The content of config.json; the rotary base in both the old and the new place."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head,
        "vocab_size": shape.vocab,
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.eps,
        "rope_theta": shape.theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.theta},
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        **special(ids),
    }


def special(ids: dict[str, int]) -> dict[str, Any]:
    """The ids of the tokens that begin, end and pad."""
    return {
        "bos_token_id": ids[tokens.START],
        "eos_token_id": ids[tokens.END],
        "pad_token_id": ids[tokens.PAD],
    }


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Readable JSON."""
    path.write_text(json.dumps(content, indent=2) + "\n")


def write(model: Llama, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the whole model directory: bfloat16 weights, configuration, tokenizer."""
    ids = tokens.special_ids(tokenizer)
    tokens.save(tokenizer, folder, model.shape.context)
    weights = {name: weight.detach().bfloat16().contiguous().cpu() for name, weight in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", settings(model.shape, ids))
    write_json(folder / "generation_config.json", {**special(ids), "do_sample": False})


def read(folder: Path) -> tuple[Llama, Tokenizer]:
    """The model of a directory in float32, and its tokenizer."""
    config = json.loads((folder / "config.json").read_text())
    shape = Shape(
        hidden=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        intermediate=config["intermediate_size"],
        kv_heads=config["num_key_value_heads"],
        vocab=config["vocab_size"],
        theta=config["rope_theta"],
        eps=config["rms_norm_eps"],
        context=config["max_position_embeddings"],
    )
    model = Llama(shape)
    model.load_state_dict({name: weight.float() for name, weight in load_file(folder / "model.safetensors").items()})
    return model.eval(), Tokenizer.from_file(str(folder / "tokenizer.json"))


def parameters(model: torch.nn.Module) -> int:
    """How many weights a model has, shared ones once."""
    return sum(weight.numel() for weight in model.parameters())
