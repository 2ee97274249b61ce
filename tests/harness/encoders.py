"""A sentence encoder for tests, in the form of the real one: two small layers of random numbers and a few words."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

SIZE, INNER, HEADS, LAYERS, LONGEST = 16, 32, 2, 2, 32
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = ["oak", "lamp", "red", "nail", "polish", "chair", "of", "the", "##s", "##y"]


def write_encoder(folder: Path, seed: int = 7) -> Path:
    """Write config.json, tokenizer.json and model.safetensors; the same seed gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    words = {word: place for place, word in enumerate([*SPECIAL, *WORDS, *"abcdefghijklmnopqrstuvwxyz"])}
    config = {
        "hidden_size": SIZE, "num_attention_heads": HEADS, "num_hidden_layers": LAYERS, "layer_norm_eps": 1e-12,
        "max_position_embeddings": LONGEST,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", words["[SEP]"]), ("[CLS]", words["[CLS]"]))
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file(_weights(len(words), seed), folder / "model.safetensors")
    return folder


def _weights(words: int, seed: int) -> dict[str, torch.Tensor]:
    source = torch.Generator().manual_seed(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (words, SIZE),
        "embeddings.position_embeddings.weight": (LONGEST, SIZE),
        "embeddings.token_type_embeddings.weight": (2, SIZE),
    }
    linear = {"attention.self.query": (SIZE, SIZE), "attention.self.key": (SIZE, SIZE)}
    linear |= {"attention.self.value": (SIZE, SIZE), "attention.output.dense": (SIZE, SIZE)}
    linear |= {"intermediate.dense": (INNER, SIZE), "output.dense": (SIZE, INNER)}
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}."
        norms += [f"{name}attention.output.LayerNorm", f"{name}output.LayerNorm"]
        for part, shape in linear.items():
            shapes |= {f"{name}{part}.weight": shape, f"{name}{part}.bias": shape[:1]}
    made = {name: torch.randn(shape, generator=source) for name, shape in shapes.items()}
    for name in norms:
        made |= {f"{name}.weight": torch.ones(SIZE), f"{name}.bias": torch.zeros(SIZE)}
    return made
