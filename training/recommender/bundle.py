"""Writes a model bundle: a directory that serves without any code of this package.

README.md describes the format; `serving` reads it.
"""

import hashlib
import json
import shutil
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import torch
from scipy import sparse

from features.columns import columns_hash
from training.data.cases import history_of, user_rows
from training.recommender.fit import Fitted
from training.recommender.models.content import fit_content
from training.recommender.models.ranker import Ranker
from training.recommender.models.retrieval import Retrieval
from training.recommender.models.sequential import SequentialFit
from warehouse.files import sync

FORMAT = 1
MODEL = "souk-recommender"
"""Its name in MLflow's registry and in every bundle."""


def write_bundle(fitted: Fitted, folder: Path, created_at: datetime) -> Path:
    """Write `folder`/<version> and return it.

    The directory appears complete or not at all: it is written under a temporary name, synced and renamed.
    version = UTC time and the first 8 characters of the data hash.
    """
    version = f"{created_at.astimezone(UTC):%Y%m%dT%H%M%S%f}-{fitted.data.data_hash()[:8]}"
    aside = folder / f".{version}.part"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    _write_items(fitted.retrieval, aside / "items.parquet")
    _write_histories(fitted, aside / "sequences.parquet")
    content = fit_content(fitted.data.catalog, 50)
    keep = fitted.recipe.item_to_item.neighbours
    for name, model in (
        ("for_you", fitted.tables.for_you),
        ("related", fitted.tables.related),
        ("basket", fitted.tables.basket),
    ):
        _write_neighbours(model.table, model.support, keep, aside / f"{name}.npz")
    _write_neighbours(content, sparse.csr_matrix(content.shape, dtype=np.float32), 50, aside / "content.npz")
    if fitted.retrieval.sequential is not None:
        export_sequential(fitted.retrieval.sequential, aside / "sequential.pt2")
    if fitted.ranker is not None:
        _write_ranker(fitted.ranker, aside / "ranker.npz")
    files = {path.name: _digest(path) for path in sorted(aside.iterdir())}
    (aside / "bundle.json").write_text(
        json.dumps(describe(fitted, version, created_at, files), indent=1, allow_nan=False)
    )
    for path in aside.iterdir():
        sync(path)
    final = folder / version
    aside.rename(final)
    sync(folder)
    return final


def describe(fitted: Fitted, version: str, created_at: datetime, files: dict[str, str]) -> dict[str, object]:
    """bundle.json as a document."""
    features, recipe = fitted.data.features, fitted.recipe
    return {
        "formatVersion": FORMAT,
        "name": MODEL,
        "version": version,
        "createdAt": created_at.astimezone(UTC).isoformat(),
        "gitCommit": git_commit(),
        "watermarkLsn": fitted.data.watermark_lsn,
        "dataHash": fitted.data.data_hash(),
        "columns": list(features.columns) if features else [],
        "columnsHash": features.columns_hash if features else columns_hash(),
        "shipped": fitted.choices.shipped,
        "rankerInputs": list(fitted.ranker.inputs) if fitted.ranker else [],
        "decay": fitted.tables.for_you.decay,
        "sequenceLength": recipe.sequential.length,
        "candidates": {
            "itemToItem": recipe.ranker.from_item_to_item,
            "sequential": recipe.ranker.from_sequential,
            "popularity": recipe.ranker.from_popularity,
        },
        "split": fitted.split,
        "seed": recipe.seed,
        "recipe": asdict(recipe),
        "choices": asdict(fitted.choices),
        "metrics": {name: value for name, value in sorted(fitted.metrics.items()) if np.isfinite(value)},
        "files": files,
    }


def git_commit() -> str:
    """The commit of the code that trains, "unknown" outside a checkout."""
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


def export_sequential(fitted: SequentialFit, path: Path) -> None:
    """torch.export of forward([1, length] int64) -> [1, N] logits; needs torch to run and no class of ours."""
    example = torch.full((1, fitted.recipe.length), fitted.model.items, dtype=torch.int64)
    example[0, -1] = 0
    torch.export.save(torch.export.export(fitted.model.eval(), (example,)), path)


def _write_items(retrieval: Retrieval, path: Path) -> None:
    """Row number = item index everywhere in the bundle."""
    catalog = retrieval.catalog
    recent, month, ever = (popularity.score_N for popularity in retrieval.popularity)
    pl.DataFrame(
        {
            "product_id": list(catalog.product_ids),
            "title": list(catalog.titles),
            "category": list(catalog.category_paths),
            "popularity_recent": recent,
            "popularity_month": month,
            "popularity_all": ever,
            "recommendable": catalog.recommendable,
        },
        schema_overrides={"product_id": pl.String, "title": pl.String, "category": pl.String},
    ).write_parquet(path)


def _write_histories(fitted: Fitted, path: Path) -> None:
    """user_id, items (indices, oldest first, the newest 500 distinct), ages (orders ago): each shopper's state at the
    watermark.
    """
    events = fitted.data.events
    users, items, ages = [], [], []
    for user, rows in user_rows(events).items():
        known, age = history_of(events, rows)
        users.append(fitted.data.user_ids[user])
        items.append(known[-500:].tolist())
        ages.append(age[-500:].tolist())
    lists = {"items": pl.List(pl.Int32), "ages": pl.List(pl.Int32)}
    pl.DataFrame(
        {"user_id": users, "items": items, "ages": ages}, schema={"user_id": pl.String, **lists}
    ).write_parquet(path)


def _write_neighbours(table: sparse.csr_matrix, support: sparse.csr_matrix, keep: int, path: Path) -> None:
    """indices int32 [N, K] (-1 = none), scores float32 [N, K] best first, support bool [N, K].

    support: at least one buyer bought the neighbour with or after the seed.
    """
    size = table.shape[0]
    indices = np.full((size, keep), -1, dtype=np.int32)
    scores = np.zeros((size, keep), dtype=np.float32)
    flags = np.zeros((size, keep), dtype=bool)
    for row in range(size):
        part = slice(table.indptr[row], table.indptr[row + 1])
        order = np.lexsort((table.indices[part], -table.data[part]))[:keep]
        indices[row, : order.size] = table.indices[part][order]
        scores[row, : order.size] = table.data[part][order]
        own = support.indices[support.indptr[row] : support.indptr[row + 1]]
        flags[row, : order.size] = np.isin(indices[row, : order.size], own)
    width = max(int((indices >= 0).sum(axis=1).max(initial=0)), 1)
    np.savez(path, indices=indices[:, :width], scores=scores[:, :width], support=flags[:, :width])


def _write_ranker(ranker: Ranker, path: Path) -> None:
    """Plain arrays; the names of the inputs are in bundle.json."""
    np.savez(
        path,
        mean_F=ranker.mean_F,
        std_F=ranker.std_F,
        w1_FH=ranker.w1_FH,
        b1_H=ranker.b1_H,
        w2_H=ranker.w2_H,
        skip_F=ranker.skip_F,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
