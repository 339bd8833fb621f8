"""Models for engine tests: tiny random Llamas in Hugging Face format, and the bundled pair where it lies in the checkout."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from models.export import export
from router.types import Chunk, Contract, EngineCall, Evidence, Message, Part, Sampling
from server.engines.embedded import EmbeddedEngine

BUNDLED = Path(__file__).parents[3] / "models"
SPECIAL = ("<pad>", "<s>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
SKELETON = ('{"tool_calls":[{"name":"', '","arguments":{"', '{"message":"', '"}}]}', "}}]}", "set_timer", "set_alarm", 'minutes":')
CORPUS = ("Set a timer for 15 minutes, please.", "wake me at seven tomorrow", "Send Anna a message: I am late") * 8


def tokenizer(vocabulary: int) -> Tokenizer:
    """A byte-level BPE whose space is a token of its own."""
    made = Tokenizer(models.BPE())
    split = (pre_tokenizers.Split(" ", "isolated"), pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False))
    made.pre_tokenizer = pre_tokenizers.Sequence(list(split))
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    options = {"special_tokens": list(SPECIAL), "initial_alphabet": alphabet, "show_progress": False}
    made.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=vocabulary, **options))
    made.add_tokens([AddedToken(text, normalized=False, special=False) for text in SKELETON])
    return made


def weights(config: dict[str, int], seed: int) -> dict[str, np.ndarray]:
    """Normal matrices, norms near one, in float16."""
    random = np.random.default_rng(seed)
    width, inner, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    wide, narrow = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    shapes = {"model.embed_tokens.weight": (config["vocab_size"], width), "model.norm.weight": (width,)}
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.{part}.weight": (width,) for part in ("input_layernorm", "post_attention_layernorm")}
        shapes |= {f"{at}.self_attn.{part}_proj.weight": (rows, width) for part, rows in (("q", wide), ("k", narrow), ("v", narrow))}
        shapes |= {f"{at}.self_attn.o_proj.weight": (width, wide), f"{at}.mlp.down_proj.weight": (width, inner)}
        shapes |= {f"{at}.mlp.{part}_proj.weight": (inner, width) for part in ("gate", "up")}
    made = {name: random.standard_normal(shape) * 0.15 for name, shape in shapes.items()}
    return {name: (value + (value.ndim == 1)).astype("<f2") for name, value in made.items()}


def save(tensors: dict[str, np.ndarray], file: Path) -> None:
    """Write the safetensors format."""
    header, start = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F16", "shape": value.shape, "data_offsets": [start, start + value.nbytes]}
        start += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(value.tobytes() for value in tensors.values()))


def random_model(folder: Path, *, heads: int = 4, kv_heads: int = 2, seed: int = 0, context: int = 1024) -> Path:
    """Write a random Llama of two layers with its graph into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    made = tokenizer(400)
    made.save(str(folder / "tokenizer.json"))
    config = {"vocab_size": made.get_vocab_size(), "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2}
    config |= {"num_attention_heads": heads, "num_key_value_heads": kv_heads, "head_dim": 64 // heads, "max_position_embeddings": context}
    save(weights(config, seed), folder / "model.safetensors")
    kind = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "rms_norm_eps": 1e-5}
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": True, "torch_dtype": "float16"}
    rope = {"rope_theta": 1e5, "rope_parameters": {"rope_type": "default", "rope_theta": 1e5}}
    (folder / "config.json").write_text(json.dumps(config | kind | ids | rope))
    export(folder)
    return folder


@pytest.fixture(scope="session")
def random_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("models") / "random")


@pytest.fixture(scope="session", params=["random", "small", "large"])
def folder(request: pytest.FixtureRequest, random_folder: Path) -> Path:
    """Every model there is."""
    if request.param == "random":
        return random_folder
    if not (BUNDLED / request.param / "model.onnx").is_file():
        pytest.skip(f"models/{request.param} is not in this checkout")
    return BUNDLED / request.param


@pytest.fixture(scope="session")
def engine(random_folder: Path) -> Iterator[EmbeddedEngine]:
    """An engine over random weights: it says anything that it may."""
    made = EmbeddedEngine("tiny", random_folder)
    yield made
    asyncio.run(made.close())


@pytest.fixture(scope="session")
def any_engine(folder: Path) -> Iterator[EmbeddedEngine]:
    made = EmbeddedEngine("any", folder)
    yield made
    asyncio.run(made.close())


Ask = Callable[..., EngineCall]


@pytest.fixture(scope="session")
def ask() -> Ask:
    """A call with one user message; keywords that are not the call's own are sampling options."""

    def make(
        text: str = "Set a timer for 5 minutes.",
        *,
        contract: Contract | None = None,
        evidence: Evidence = Evidence.NONE,
        live: bool = False,
        seconds: float | None = None,
        **sampling: object,
    ) -> EngineCall:
        messages = (Message("user", (Part("text", text),)),)
        return EngineCall("r", messages, contract or Contract(), Sampling(**sampling), evidence, live, seconds)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def read() -> Callable[..., object]:
    """All chunks of a stream."""

    async def all_of(stream: AsyncIterator[Chunk]) -> list[Chunk]:
        return [chunk async for chunk in stream]

    return all_of
