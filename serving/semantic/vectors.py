"""The products' vectors: a table of the lake, to which the texts that changed are added.

A row is a product's vector as of a time; the newest one of a product counts. Rows that no longer count are dropped,
with the whole table written again, when they are as many as those that do.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from serving.arrays import Floats
from warehouse.lake.catalog import open_table
from warehouse.lake.derived import Mode, commit_files, derived_uri, read_derived
from warehouse.lake.watermark import LakeStateError

NAME = "product_vectors"
SCHEMA = pa.schema(
    [
        pa.field("product_id", pa.string()),
        pa.field("text_digest", pa.string()),
        pa.field("vector", pa.list_(pa.float32())),
        pa.field("encoded_at", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True)
class Vectors:
    """The newest row of each product. vectors_PD: float16, half of what it takes else, and near enough to compare.

    digests: of the model and the text that a vector was made of. rows: of the table, those that no longer count too.
    """

    product_ids: tuple[str, ...]
    digests: tuple[str, ...]
    vectors_PD: Floats
    rows: int
    place: dict[str, int] = field(repr=False)

    @classmethod
    def of(cls, table: pa.Table) -> "Vectors":
        ids = table["product_id"].to_pylist()
        newest = dict(zip(ids, range(len(ids)), strict=True))  # the last one of a product stays
        kept = table.take(pa.array(list(newest.values()), pa.int64()))
        flat = kept["vector"].combine_chunks().flatten() if kept.num_rows else pa.array([], pa.float32())
        size = len(flat) // kept.num_rows if kept.num_rows else 0
        vectors_PD = np.asarray(flat, dtype=np.float16).reshape(kept.num_rows, size)
        product_ids = tuple(newest)
        place = {product: row for row, product in enumerate(product_ids)}
        return cls(product_ids, tuple(kept["text_digest"].to_pylist()), cast("Floats", vectors_PD), len(ids), place)

    def of_products(self, product_ids: Sequence[str]) -> tuple[list[int], Floats]:
        """Which of `product_ids` have a vector, and those vectors."""
        found = [(asked, self.place[product]) for asked, product in enumerate(product_ids) if product in self.place]
        return [asked for asked, _ in found], self.vectors_PD[[row for _, row in found]]


def read_vectors(lake: str | os.PathLike[str]) -> Vectors:
    """What the table holds now; nothing before it was first written."""
    try:
        table = read_derived(lake, NAME)
    except LakeStateError:
        table = SCHEMA.empty_table()
    return Vectors.of(table.take(pc.sort_indices(table, sort_keys=[("encoded_at", "ascending")])))


def write_vectors(lake: str | os.PathLike[str], rows: pa.Table, mode: Mode, scratch: Path) -> int:
    """Commit rows of SCHEMA, as further ones or instead of all; the new version. `scratch`: a folder for files that an
    object store takes from there."""
    uri = derived_uri(lake, NAME)
    folder = scratch if "://" in uri else Path(uri)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{uuid4()}.parquet"
    pq.write_table(rows.cast(SCHEMA), file)
    try:
        return commit_files(lake, NAME, [file], SCHEMA, mode=mode)
    finally:
        if folder == scratch:
            file.unlink()


class VectorsReader:
    """Reads the table again when it has a newer version."""

    def __init__(self, lake: str) -> None:
        self._lake = lake
        self._version = -1

    def read_if_changed(self) -> Vectors | None:
        """The vectors when the table differs from the last reading, else None. Raises what reading it raises."""
        table = open_table(derived_uri(self._lake, NAME))
        if table is None or table.version() == self._version:
            return None
        vectors = read_vectors(self._lake)
        self._version = table.version()
        return vectors
