"""The two fitted models of a bundle, each called by one method. Torch is imported only when a bundle needs it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from serving.arrays import Floats, Ints

if TYPE_CHECKING:
    import torch

_CLIP = 6.0


@dataclass(frozen=True)
class Sequential:
    """A sequence model exported by training. Reads the newest `length` products of a history, right aligned, `items` as
    padding."""

    module: "torch.nn.Module"
    length: int
    items: int

    def score(self, sequence_L: Ints) -> Floats:
        """log P(item) + log N float32 [N] for one history of at least one item index, oldest first.

        0 is the score of a uniform guess.
        """
        import torch

        newest = sequence_L[-self.length :]
        padded = np.full((1, self.length), self.items, dtype=np.int64)
        padded[0, self.length - newest.size :] = newest
        with torch.inference_mode():
            logits_BN = self.module(torch.from_numpy(padded))
            scores_BN = torch.log_softmax(logits_BN, dim=1) + float(np.log(self.items))
        return np.asarray(scores_BN[0].numpy(), dtype=np.float32)


@dataclass(frozen=True)
class Ranker:
    """score = relu(z W1 + b1) w2 + z skip, z = clip((x - mean) / std, -6, 6).

    The first `plain` inputs are retrieval scores, used unchanged; the rest are feature columns, transformed by sign(x)
    log1p(|x|).
    """

    inputs: tuple[str, ...]
    plain: int
    mean_F: Floats
    std_F: Floats
    w1_FH: Floats
    b1_H: Floats
    w2_H: Floats
    skip_F: Floats

    def score(self, inputs_CF: Floats) -> Floats:
        """score_C float32, higher is better, comparable within one request.

        Raises ValueError when F differs from the number of inputs it was fitted on.
        """
        if inputs_CF.shape[1] != len(self.inputs):
            raise ValueError(f"the ranker has {len(self.inputs)} inputs, got {inputs_CF.shape[1]}")
        scaled = np.array(inputs_CF, dtype=np.float32)
        wide = scaled[:, self.plain :].astype(np.float64)
        scaled[:, self.plain :] = np.sign(wide) * np.log1p(np.abs(wide))
        z_CF = np.clip((scaled - self.mean_F) / self.std_F, -_CLIP, _CLIP).astype(np.float32)
        return np.asarray(
            np.maximum(z_CF @ self.w1_FH + self.b1_H, 0) @ self.w2_H + z_CF @ self.skip_F, dtype=np.float32
        )


def load_sequential(path: Path, length: int, items: int) -> Sequential:
    """Read a torch.export program. Raises torch's own errors for a broken file; the caller refuses the bundle."""
    import torch

    torch.set_num_threads(1)  # one request is small: a second thread would wait longer than it computes
    return Sequential(torch.export.load(path).module(), length, items)


def load_ranker(path: Path, inputs: tuple[str, ...], plain: int) -> Ranker:
    """Read the arrays; shapes that do not fit `inputs` raise ValueError."""
    with np.load(path, allow_pickle=False) as arrays:
        found = {
            name: arrays[name].astype(np.float32) for name in ("mean_F", "std_F", "w1_FH", "b1_H", "w2_H", "skip_F")
        }
    width, hidden = len(inputs), found["b1_H"].size
    wanted = {
        "mean_F": (width,),
        "std_F": (width,),
        "w1_FH": (width, hidden),
        "b1_H": (hidden,),
        "w2_H": (hidden,),
        "skip_F": (width,),
    }
    for name, shape in wanted.items():
        if found[name].shape != shape:
            raise ValueError(f"{name} has shape {found[name].shape}, expected {shape}")
        # std is infinite for inputs that the fit deliberately held at their mean
        if not np.isfinite(found[name]).all() and not (name == "std_F" and not np.isnan(found[name]).any()):
            raise ValueError(f"{name} is not finite")
    return Ranker(inputs, plain, **found)
