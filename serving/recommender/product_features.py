"""Product features as of now, for all products at once, from the Parquet files that the features job publishes."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from features.asof import StoredRows, complete, matrix, numbers
from features.columns import KEYS, numeric_columns
from serving.arrays import Floats, Mask
from warehouse.logs import get_logger

_log = get_logger(__name__)
_MODELS = ("features_product", "features_shop")


@dataclass(frozen=True)
class ProductFeatures:
    """One reading. Row p of every array is product_ids[p].

    values_PF float32: the numeric product columns named by `columns`. popularity_P: recent orders, for answers without
    a model. categories: category ids; their names are in the bundle. unknown_product, unknown_shopper: the values of a
    product and of a shopper without a row.
    """

    product_ids: tuple[str, ...]
    columns: tuple[str, ...]
    values_PF: Floats
    in_stock_P: Mask
    popularity_P: Floats
    categories: tuple[str, ...]
    unknown_product: Mapping[str, float]
    unknown_shopper: Mapping[str, float]
    place: Mapping[str, int] = field(repr=False)


def empty_features() -> ProductFeatures:
    """The features before the first features job: no products, and a shop without a trading day."""
    return _features((), StoredRows({}))


class ProductFeaturesReader:
    """Reads again when a new set is published. read_at: unix seconds of the last successful reading, 0 before it."""

    def __init__(self, folder: Path) -> None:
        self._link = folder / "current"
        self._seen: Path | None = None
        self.read_at = 0.0

    def read_if_changed(self) -> ProductFeatures | None:
        """The features when the current set differs from that of the last reading.

        None when it does not, when there is none, or when it cannot be read (logged).
        """
        folder = self._link.resolve()  # once: all files come from one set, whatever is published meanwhile
        if folder == self._seen or not folder.is_dir():
            return None
        self._seen = folder
        try:
            features = read_product_features(folder)
        except (OSError, LookupError, ValueError, pa.ArrowException) as error:
            _log.error("product features unreadable", folder=folder.name, error=f"{type(error).__name__}: {error}")
            return None
        self.read_at = time.time()
        return features


def read_product_features(folder: Path) -> ProductFeatures:
    """The newest values of every product that has a row in one published set."""
    stored = StoredRows.read_newest(folder, _MODELS)
    return _features(tuple(stored.newest("features_product")[KEYS["product"]].to_pylist()), stored)


def _features(product_ids: tuple[str, ...], stored: StoredRows) -> ProductFeatures:
    rows, shop = stored.as_of("product", product_ids), stored.shop()
    columns = tuple(column.name for column in numeric_columns("product"))
    values_PF = matrix(rows, columns)
    return ProductFeatures(
        product_ids=product_ids,
        columns=columns,
        values_PF=values_PF,
        in_stock_P=values_PF[:, columns.index("product__in_stock")] > 0,
        popularity_P=values_PF[:, columns.index("product__orders_30d")].copy(),
        categories=tuple(rows["product__category_id"].to_pylist()),
        unknown_product=numbers("product", complete("product", {}, shop)),
        unknown_shopper=numbers("user", complete("user", {}, shop)),
        place={product: row for row, product in enumerate(product_ids)},
    )
