"""Reading the product features: the newest row of every product from the Parquet files that the features job
publishes."""

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog

from features.columns import BY_NAME, EVENT_TIMESTAMP
from serving.bundle.neighbours import Floats
from serving.bundle.vector import Vector
from serving.recommender.assortment import ProductFeatures

_log = structlog.get_logger("serving")
_PRODUCTS, _SHOP = "features_product.parquet", "features_shop.parquet"


class ProductFeaturesReader:
    """Reads again when a new set is published. read_at: unix seconds of the last successful reading, 0 before it."""

    def __init__(self, folder: Path, vector: Vector) -> None:
        self._link = folder / "current"
        self._vector = vector
        self._seen: Path | None = None
        self.read_at = 0.0

    def read_if_changed(self) -> ProductFeatures | None:
        """The catalog when another set is current than at the last reading; None when not, when absent, or when
        unreadable (logged)."""
        folder = self._link.resolve()  # once: all files come from one set, whatever is published meanwhile
        if folder == self._seen or not folder.is_dir():
            return None
        self._seen = folder
        try:
            catalog = self._read(folder)
        except (OSError, LookupError, ValueError, pa.ArrowException) as error:
            _log.error("product features unreadable", folder=folder.name, error=f"{type(error).__name__}: {error}")
            return None
        self.read_at = time.time()
        return catalog

    def _read(self, folder: Path) -> ProductFeatures:
        products, shop = _newest(folder / _PRODUCTS), _newest(folder / _SHOP)
        columns = self._vector.product_columns
        ids = tuple(products["product_id"].to_pylist())
        stored = {
            name: _numbers(products, name)
            for name in products.column_names
            if name in BY_NAME and BY_NAME[name].dtype in _NUMERIC
        }
        stored |= {name: np.full(len(ids), _numbers(shop, name)[0]) for name in shop.column_names if name in BY_NAME}
        values = [stored[name] if BY_NAME[name].minus is None else _difference(stored, name) for name in columns]
        return ProductFeatures(
            product_ids=ids,
            columns=columns,
            values_PF=np.stack(values, axis=1).astype(np.float32),
            in_stock_P=stored["product__in_stock"] > 0,
            popularity_P=stored["product__orders_30d"].astype(np.float32),
            categories=tuple(category or "" for category in products["product__category_id"].to_pylist()),
            place={product: row for row, product in enumerate(ids)},
        )


_NUMERIC = frozenset({"int64", "float64", "bool"})


def _newest(path: Path) -> pa.Table:
    """Rows of the newest event time: the build writes one for every entity at its watermark."""
    times = pq.read_table(path, columns=[EVENT_TIMESTAMP])[EVENT_TIMESTAMP]
    return pq.read_table(path, filters=[(EVENT_TIMESTAMP, "=", pc.max(times))])


def _numbers(table: pa.Table, name: str) -> Floats:
    """Column as float64, nulls by the list's default."""
    column = (
        table[name].cast(pa.float64())
        if BY_NAME[name].dtype != "bool"
        else table[name].cast(pa.int8()).cast(pa.float64())
    )
    return column.fill_null(float(BY_NAME[name].default)).to_numpy()  # type: ignore[no-any-return,arg-type]  # pyarrow has no types


def _difference(stored: dict[str, Floats], name: str) -> Floats:
    """A request-time column: minuend less subtrahend."""
    minuend, subtrahend = BY_NAME[name].minus or ("", "")
    return stored[minuend] - stored[subtrahend]
