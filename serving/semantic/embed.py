"""Encode the products whose text has changed since they were last encoded."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pyarrow as pa

from serving.semantic.model import text_of, version_of
from serving.semantic.vectors import NAME, SCHEMA, Vectors, read_vectors, write_vectors
from warehouse.lake.catalog import open_table
from warehouse.lake.derived import derived_uri
from warehouse.lake.fold import forget

# Encoded between two commits: what a killed run has to do again takes some twenty seconds.
AT_ONCE = 5_000
# Files that no version of so many hours needs are deleted: readers of before have finished.
_RETENTION_HOURS = 24
# Numbers of 16 bits.
_LENGTH_ERROR = 0.01
_TEXTS = """
    select product_id, title, coalesce(brand, ''), coalesce(category_path, '')
    from dim_product
    where status <> 'deleted'
    order by product_id
"""


@dataclass(frozen=True)
class Embedded:
    """What one run did: products in the shop, texts encoded, products whose vector was dropped, the table's rows."""

    products: int
    encoded: int
    dropped: int
    rows: int
    seconds: float

    @property
    def texts_per_second(self) -> float:
        """Of the whole run; 0 when nothing was to be encoded."""
        return self.encoded / self.seconds if self.encoded else 0.0


def product_texts(marts: Path) -> dict[str, str]:
    """Product id -> what is encoded of it, of the published marts. Raises duckdb.Error."""
    with duckdb.connect(str(marts), read_only=True) as con:
        return {product: text_of(title, brand, path) for product, title, brand, path in con.execute(_TEXTS).fetchall()}


def embed(texts: Mapping[str, str], lake: str, model: Path) -> Embedded:
    """Bring the lake's table up to the products' texts. The cost follows the texts that are new or have changed; the
    model is loaded only when there is one. Safe to repeat, and to be killed: the next run goes on."""
    started = time.perf_counter()
    version, known = version_of(model), read_vectors(lake)
    wanted = {product: _digest(version, text) for product, text in texts.items()}
    have = dict(zip(known.product_ids, known.digests, strict=True))
    todo = [product for product, digest in wanted.items() if have.get(product) != digest]
    gone = [product for product in have if product not in wanted]
    rows = known.rows + len(todo)
    if rows > 2 * len(wanted) or (gone and not todo):
        kept = [product for product, digest in wanted.items() if have.get(product) == digest]
        _write(lake, kept, wanted, known, overwrite=True)
        rows = len(kept) + len(todo)
        if (table := open_table(derived_uri(lake, NAME))) is not None:
            forget(table, _RETENTION_HOURS)
    if todo:
        from serving.semantic.encoder import Encoder  # imports torch

        encoder = Encoder(model)
        # By length, so that the texts of a pass are alike: padding is encoded too.
        todo.sort(key=lambda product: len(texts[product]))
        for start in range(0, len(todo), AT_ONCE):
            part = todo[start : start + AT_ONCE]
            vectors_PD = encoder.encode([texts[product] for product in part])
            found = Vectors(tuple(part), (), vectors_PD, 0, {product: row for row, product in enumerate(part)})
            _write(lake, part, wanted, found, overwrite=False)
    return Embedded(len(wanted), len(todo), len(gone), rows, time.perf_counter() - started)


@dataclass(frozen=True)
class Compared:
    """Products without a vector of their present text, and vectors that are not of length 1."""

    missing: int
    not_of_length_1: int


def compared(texts: Mapping[str, str], lake: str, model: Path) -> Compared:
    """The table against the products' texts."""
    version, known = version_of(model), read_vectors(lake)
    have = dict(zip(known.product_ids, known.digests, strict=True))
    missing = sum(have.get(product) != _digest(version, text) for product, text in texts.items())
    lengths_P = np.linalg.norm(known.vectors_PD.astype(np.float32), axis=1)
    # Not "further than": a length that is no number is wrong too.
    return Compared(missing, int((~(np.abs(lengths_P - 1) < _LENGTH_ERROR)).sum()))


def _write(lake: str, products: list[str], digests: Mapping[str, str], vectors: Vectors, *, overwrite: bool) -> None:
    now = datetime.now(UTC)
    rows = {
        "product_id": products,
        "text_digest": [digests[product] for product in products],
        "vector": [vectors.vectors_PD[vectors.place[product]].astype("float32") for product in products],
        "encoded_at": [now] * len(products),
    }
    with TemporaryDirectory() as scratch:
        table = pa.table(rows, schema=SCHEMA)
        write_vectors(lake, table, "overwrite" if overwrite else "append", Path(scratch))


def _digest(version: str, text: str) -> str:
    return sha256(f"{version}\0{text}".encode(), usedforsecurity=False).hexdigest()[:32]
