"""A sentence encoder of the BERT family as its files say: word pieces, a stack of attention layers, the mean of what
the last one makes of each piece, scaled to length 1.

Read from the form that Hugging Face's libraries write (config.json, tokenizer.json, model.safetensors) by torch alone:
those libraries would bring forty further wheels, and a request needs one forward pass.
"""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as fn
from safetensors.torch import load_file
from tokenizers import Tokenizer

from serving.arrays import Floats
from serving.semantic.model import version_of

# Word pieces of one text that are read: titles and queries are shorter, and a pasted page must not keep a thread.
MAX_PIECES = 64
# Texts of similar length share a pass. More at a time takes no less for each, and more memory.
BATCH = 64


class Encoder:
    """One model in memory. Not for two threads at once: it keeps no state, but torch's own threads are shared."""

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.version = version_of(folder)
        self.size = int(config["hidden_size"])
        self._heads, self._layers = int(config["num_attention_heads"]), int(config["num_hidden_layers"])
        self._epsilon = float(config["layer_norm_eps"])
        # With or without the prefix that a model with a head on top has.
        loaded = load_file(folder / "model.safetensors")
        self._weights = {name.removeprefix("bert."): values.float() for name, values in loaded.items()}
        self._pieces = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._pieces.enable_truncation(min(MAX_PIECES, int(config["max_position_embeddings"])))
        self._pieces.no_padding()

    def encode(self, texts: Sequence[str]) -> Floats:
        """texts -> float32 [N, size], rows of length 1, in the order of the texts."""
        pieces = [found.ids for found in self._pieces.encode_batch(list(texts))]
        vectors_ND = np.empty((len(pieces), self.size), dtype=np.float32)
        order = sorted(range(len(pieces)), key=lambda place: len(pieces[place]))
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            vectors_ND[places] = self._forward([pieces[place] for place in places])
        return vectors_ND

    @torch.inference_mode()
    def _forward(self, pieces: Sequence[Sequence[int]]) -> Floats:
        """Shapes: B texts, L pieces, D numbers, H heads."""
        longest = max(map(len, pieces))
        ids_BL = torch.tensor([[*row, *[0] * (longest - len(row))] for row in pieces])
        lengths_B = torch.tensor([len(row) for row in pieces])
        real_BL = torch.arange(longest)[None, :] < lengths_B[:, None]
        # None where nothing is padded: torch has a faster way then.
        mask = None if bool(real_BL.all()) else real_BL[:, None, None, :]
        weights = self._weights
        x_BLD = weights["embeddings.word_embeddings.weight"][ids_BL]
        x_BLD = x_BLD + weights["embeddings.position_embeddings.weight"][:longest]
        x_BLD = self._norm(x_BLD + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(self._layers):
            name = f"encoder.layer.{layer}."
            x_BLD = self._attended(x_BLD, mask, name)
            inner = fn.gelu(self._linear(x_BLD, f"{name}intermediate.dense"))
            x_BLD = self._norm(self._linear(inner, f"{name}output.dense") + x_BLD, f"{name}output.LayerNorm")
        mean_BD = (x_BLD * real_BL[:, :, None]).sum(1) / lengths_B[:, None]
        return np.asarray(fn.normalize(mean_BD, dim=1).numpy(), dtype=np.float32)

    def _attended(self, x_BLD: torch.Tensor, mask: torch.Tensor | None, name: str) -> torch.Tensor:
        texts, longest, size = x_BLD.shape
        weight, bias = self._joined[name]
        query, key, value = (
            part.view(texts, longest, self._heads, -1).transpose(1, 2)
            for part in fn.linear(x_BLD, weight, bias).split(size, dim=2)  # type: ignore[no-untyped-call]
        )
        seen_BHLD = fn.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        joined_BLD = seen_BHLD.transpose(1, 2).reshape(texts, longest, size)
        out_BLD = self._linear(joined_BLD, f"{name}attention.output.dense")
        return self._norm(out_BLD + x_BLD, f"{name}attention.output.LayerNorm")

    @cached_property
    def _joined(self) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """Of each layer the weights of query, key and value as one: a product of three times the width is faster."""
        names = [f"encoder.layer.{layer}." for layer in range(self._layers)]

        def together(name: str, part: str) -> torch.Tensor:
            return torch.cat([self._weights[f"{name}attention.self.{of}.{part}"] for of in ("query", "key", "value")])

        return {name: (together(name, "weight"), together(name, "bias")) for name in names}

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return fn.linear(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return fn.layer_norm(x, (self.size,), weight, bias, self._epsilon)
