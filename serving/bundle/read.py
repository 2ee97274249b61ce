"""Reads and checks a model bundle, so that a bundle that loads can serve.

The only module that depends on the bundle's files.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from serving.arrays import Floats, Ints, Mask
from serving.bundle.models import Ranker, Sequential, load_ranker, load_sequential
from serving.bundle.neighbours import Neighbours

FORMAT = 1
SCORE_INPUTS = (
    "item_to_item",
    "item_to_item_log",
    "sequential",
    "popularity_recent",
    "popularity_month",
    "popularity_all",
    "history_size",
)
"""Ranker inputs that retrieval computes, in the order every bundle lists them first; retrieve.py defines each."""


class BundleRefused(Exception):
    """The bundle cannot serve; the message says which file and why. The last good bundle continues to serve."""


class CandidateCounts(BaseModel):
    """How many each retriever proposes."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)
    item_to_item: int = Field(default=150, ge=0)
    sequential: int = Field(default=100, ge=0)
    popularity: int = Field(default=50, ge=0)


class BundleMeta(BaseModel):
    """bundle.json."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)
    format_version: int
    version: Annotated[str, Field(min_length=1, max_length=120)]
    columns_hash: str
    shipped: Literal["ranker", "item_to_item"] = "item_to_item"
    ranker_inputs: tuple[str, ...] = ()
    sequence_length: int = Field(default=50, ge=1, le=10_000)
    decay: float = Field(default=0.7, gt=0, le=1)
    candidates: CandidateCounts = Field(default_factory=CandidateCounts)
    watermark_lsn: int = 0
    files: dict[str, str]


@dataclass(frozen=True)
class Histories:
    """The purchases of every known shopper in the training data: item indices, oldest first, and how many orders ago
    each was.
    """

    place: Mapping[str, int]
    starts: npt.NDArray[np.int64]
    items: Ints
    ages: Ints

    def of(self, user_id: str) -> tuple[Ints, Ints] | None:
        """(items, ages) of a shopper, None when unknown."""
        row = self.place.get(user_id)
        if row is None:
            return None
        span = slice(self.starts[row], self.starts[row + 1])
        return self.items[span], self.ages[span]


@dataclass(frozen=True)
class Bundle:
    """A loaded, checked bundle. Item index = row number of items.parquet everywhere.

    popularity_3N float32: recent, month, all time. for_you: history -> next; related: one product -> what goes with it.
    """

    meta: BundleMeta
    item_ids: tuple[str, ...]
    titles: tuple[str, ...]
    categories: tuple[str, ...]
    popularity_3N: Floats
    recommendable_N: Mask
    for_you: Neighbours
    related: Neighbours
    content: Neighbours | None
    histories: Histories
    sequential: Sequential | None
    ranker: Ranker | None
    index: Mapping[str, int] = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.item_ids)


def load_bundle(folder: Path, columns_hash: str, known_columns: frozenset[str]) -> Bundle:
    """Read and check `folder`.

    columns_hash: `features.columns.columns_hash()` of this process; a bundle fitted on other columns is refused.
    known_columns: feature names this process can fill; a ranker that wants another one is refused.
    Raises: BundleRefused for anything missing, altered, misshapen, not finite, or that fails its trial run.
    """
    try:
        return _load(folder, columns_hash, known_columns)
    except BundleRefused:
        raise
    except Exception as error:  # any error of reading a broken file refuses the bundle; the process continues
        raise BundleRefused(f"{folder.name}: {type(error).__name__}: {error}") from error


def _load(folder: Path, columns_hash: str, known_columns: frozenset[str]) -> Bundle:
    meta = _read_meta(folder)
    if meta.columns_hash != columns_hash:
        raise BundleRefused(
            f"{folder.name}: fitted on feature columns {meta.columns_hash}, this process has {columns_hash}"
        )
    unknown = set(meta.ranker_inputs) - known_columns - set(SCORE_INPUTS)
    if unknown:
        raise BundleRefused(f"{folder.name}: the ranker wants unknown columns {sorted(unknown)}")
    for name, digest in meta.files.items():
        _check_file(folder, name, digest)
    items = pq.read_table(folder / "items.parquet")
    item_ids = tuple(items["product_id"].to_pylist())
    size = len(item_ids)
    if not size or len(set(item_ids)) != size:
        raise BundleRefused(f"{folder.name}: items.parquet is empty or lists a product twice")
    popularity_3N = np.stack(
        [items[f"popularity_{span}"].to_numpy().astype(np.float32) for span in ("recent", "month", "all")]
    )
    bundle = Bundle(
        meta=meta,
        item_ids=item_ids,
        titles=tuple(items["title"].to_pylist()),
        categories=tuple(category_name(path or "") for path in items["category"].to_pylist()),
        popularity_3N=_finite(popularity_3N, folder, "items.parquet popularity"),
        recommendable_N=np.asarray(items["recommendable"].to_pylist(), dtype=bool),
        for_you=_read_neighbours(folder, "for_you.npz", size),
        related=_read_neighbours(folder, "related.npz", size),
        content=_read_neighbours(folder, "content.npz", size) if "content.npz" in meta.files else None,
        histories=_read_histories(folder, size),
        sequential=_sequential(folder, meta, size),
        ranker=load_ranker(folder / "ranker.npz", meta.ranker_inputs, len(SCORE_INPUTS))
        if meta.shipped == "ranker"
        else None,
        index={product: row for row, product in enumerate(item_ids)},
    )
    _try_models(bundle, folder)
    return bundle


def _read_meta(folder: Path) -> BundleMeta:
    path = folder / "bundle.json"
    try:
        meta = BundleMeta.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BundleRefused(f"{folder.name}: bundle.json: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BundleRefused(
            f"{folder.name}: bundle.json: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from error
    if meta.format_version != FORMAT:
        raise BundleRefused(f"{folder.name}: bundle format {meta.format_version}, this process reads {FORMAT}")
    missing = {
        "items.parquet",
        "for_you.npz",
        "related.npz",
        *(("ranker.npz",) if meta.shipped == "ranker" else ()),
    } - set(meta.files)
    if missing:
        raise BundleRefused(f"{folder.name}: bundle.json lists no {', '.join(sorted(missing))}")
    return meta


def _check_file(folder: Path, name: str, digest: str) -> None:
    """The file has the bytes that were written."""
    path = folder / name
    if Path(name).name != name or not path.is_file():
        raise BundleRefused(f"{folder.name}: {name} is missing")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != digest:
        raise BundleRefused(
            f"{folder.name}: {name} is not what was written (sha256 {found[:12]}, expected {digest[:12]})"
        )


def _read_neighbours(folder: Path, name: str, size: int) -> Neighbours:
    with np.load(folder / name, allow_pickle=False) as arrays:
        index_NK = arrays["indices"].astype(np.int32)
        score_NK = arrays["scores"].astype(np.float32)
        bought_NK = arrays["support"].astype(bool) if "support" in arrays else np.zeros(index_NK.shape, dtype=bool)
    if not index_NK.shape == score_NK.shape == bought_NK.shape or index_NK.ndim != 2 or index_NK.shape[0] != size:
        raise BundleRefused(f"{folder.name}: {name} has shapes {index_NK.shape} and {score_NK.shape} for {size} items")
    if index_NK.size and (index_NK.min() < -1 or index_NK.max() >= size):
        raise BundleRefused(f"{folder.name}: {name} points outside the {size} items")
    return Neighbours(
        index_NK, np.where(index_NK < 0, np.float32(0), _finite(score_NK, folder, name)), bought_NK & (index_NK >= 0)
    )


def _read_histories(folder: Path, size: int) -> Histories:
    """sequences.parquet; without it every shopper is unknown."""
    path = folder / "sequences.parquet"
    if not path.is_file():
        return Histories({}, np.zeros(1, dtype=np.int64), np.empty(0, np.int32), np.empty(0, np.int32))
    table = pq.read_table(path)
    items = pc.list_flatten(table["items"]).to_numpy().astype(np.int32)
    ages = pc.list_flatten(table["ages"]).to_numpy().astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(pc.list_value_length(table["items"]).to_numpy())]).astype(np.int64)
    if items.size != ages.size or (items.size and (items.min() < 0 or items.max() >= size)):
        raise BundleRefused(f"{folder.name}: sequences.parquet does not fit the {size} items")
    return Histories({user: row for row, user in enumerate(table["user_id"].to_pylist())}, starts, items, ages)


def _sequential(folder: Path, meta: BundleMeta, size: int) -> Sequential | None:
    """None when the bundle ships only the neighbours: only the ranker reads the scores, and torch is not imported."""
    if meta.shipped != "ranker" or "sequential.pt2" not in meta.files:
        return None
    return load_sequential(folder / "sequential.pt2", meta.sequence_length, size)


def category_name(path: str) -> str:
    """The last part of a category path, for display."""
    return re.split(r"\s*[/>]\s*", path.strip(" /"))[-1]


def _try_models(bundle: Bundle, folder: Path) -> None:
    """Run each model once and check shapes and finite numbers. This also warms the models up."""
    if bundle.sequential is not None:
        for length in (1, 2, bundle.meta.sequence_length):
            scores_N = bundle.sequential.score(np.arange(length, dtype=np.int32) % bundle.size)
            if scores_N.shape != (bundle.size,):
                raise BundleRefused(
                    f"{folder.name}: sequential.pt2 gives {scores_N.shape} scores for {bundle.size} items"
                )
            _finite(scores_N, folder, "sequential.pt2 scores")
    if bundle.ranker is not None:
        inputs_CF = np.zeros((2, len(bundle.ranker.inputs)), dtype=np.float32)
        _finite(bundle.ranker.score(inputs_CF), folder, "ranker.npz scores")


def _finite(values: Floats, folder: Path, what: str) -> Floats:
    if not np.isfinite(values).all():
        raise BundleRefused(f"{folder.name}: {what} are not all finite")
    return values


def read_pointer(pointer: Path) -> Path | None:
    """The champion's folder, None when nothing was promoted yet.

    Raises: BundleRefused for an unreadable pointer or one that leads out of the models folder.
    """
    try:
        document = json.loads(pointer.read_bytes())
        folder = (pointer.parent / str(document["path"])).resolve()
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise BundleRefused(f"{pointer.name}: {type(error).__name__}: {error}") from error
    if not folder.is_relative_to(pointer.parent.resolve()):
        raise BundleRefused(f"{pointer.name}: {document['path']} lies outside {pointer.parent}")
    return folder
