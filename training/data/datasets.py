"""The data that all models train on: a catalog and its purchase lines, as arrays.

Array suffixes used in this package: E events (order lines), N items, U users, B cases of a batch, K neighbours, F
feature columns.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from features.asof import StoredRows, matrix
from features.columns import BY_NAME, Entity
from training.data.cleaning import is_product_title

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Scores = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

GUEST = -1
"""User index of every guest line: guests are not one customer, so this index never gets a history."""


class BadTrainingData(ValueError):
    """The inputs cannot be trained on; the message names the table and the column."""


class TooFewPurchases(BadTrainingData):
    """The inputs are valid but too small to fit and to evaluate a model."""


@dataclass(frozen=True)
class Catalog:
    """Items in index order. `attributes` holds opaque tokens (category path parts, brand, attribute ids), or none."""

    product_ids: tuple[str, ...]
    titles: tuple[str, ...]
    attributes: tuple[tuple[str, ...], ...]
    category_paths: tuple[str, ...]
    recommendable: Mask

    def __len__(self) -> int:
        return len(self.product_ids)

    @cached_property
    def index(self) -> dict[str, int]:
        """product id -> item index."""
        return {product: position for position, product in enumerate(self.product_ids)}


@dataclass(frozen=True)
class Events:
    """Purchase lines, oldest first: sorted by (time, order, position); a product occurs once per order.

    item, user (GUEST for guests), order int32; time float64 in days since 1970-01-01 UTC; quantity float64 in pieces.
    """

    user: Ints
    item: Ints
    order: Ints
    time: Floats
    quantity: Floats

    def __len__(self) -> int:
        return int(self.item.size)

    def where(self, mask: Mask) -> "Events":
        """The lines of a mask, order numbers unchanged."""
        return Events(self.user[mask], self.item[mask], self.order[mask], self.time[mask], self.quantity[mask])

    def before(self, moment: float) -> "Events":
        """Lines strictly before `moment` (days): those that a model fitted at that moment may use."""
        return self.where(self.time < moment)

    def between(self, start: float, end: float) -> "Events":
        """Lines in [start, end)."""
        return self.where((self.time >= start) & (self.time < end))


@dataclass(frozen=True)
class FeatureTable:
    """Feature values at any past moment. columns: names in the ranker's order.

    A value is visible from its event time on, so a fit at a split time never reads a later one.
    """

    columns: tuple[str, ...]
    columns_hash: str
    stored: StoredRows

    @property
    def entities(self) -> tuple[Entity, ...]:
        """The entity of each column."""
        return tuple(BY_NAME[name].entity for name in self.columns)

    def as_of(self, entity: Entity, ids: Sequence[str], moment: float) -> Scores:
        """Values [len(ids), columns of `entity`] float32, as `features.asof` reads them at `moment`.

        moment: days since 1970-01-01.
        """
        names = [name for name in self.columns if BY_NAME[name].entity == entity]
        if not names:
            return np.zeros((len(ids), 0), dtype=np.float32)
        at = datetime.fromtimestamp(moment * 86_400, tz=UTC)
        return matrix(self.stored.as_of(entity, ids, at, names), names)


@dataclass(frozen=True)
class TrainingData:
    """Everything a fit may read, at one moment.

    form: "orders" (baskets with real times, evaluated by time) or "sequences" (one item per step, leave-one-out).
    watermark_lsn: the watermark this was read at; 0 for a real set from disk.
    split_times: (validation start, test start) in days when the set documents them, else `splits.split_times`.
    timed: False when `time` is only a position in a sequence.
    """

    name: str
    form: str
    catalog: Catalog
    events: Events
    user_ids: tuple[str, ...]
    watermark_lsn: int = 0
    features: FeatureTable | None = None
    split_times: tuple[float, float] | None = None
    timed: bool = True
    dropped: dict[str, int] = field(default_factory=dict)

    def with_events(self, events: Events) -> "TrainingData":
        """The same data with other events (only earlier ones, a permutation)."""
        return replace(self, events=events)

    def data_hash(self) -> str:
        """sha256 over ids and events: two runs with one hash trained on the same rows."""
        digest = hashlib.sha256()
        for text in (*self.catalog.product_ids, "\x00", *self.user_ids):
            digest.update(text.encode() + b"\x00")
        for array in (self.events.user, self.events.item, self.events.order, self.events.time, self.events.quantity):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def catalog_from_frame(items: pl.DataFrame, *, clean_titles: bool = True) -> Catalog:
    """Catalog of a frame with product_id and, when present, title, category_path, brand, attributes (list of text),
    recommendable.

    With clean_titles a title that names a fee, postage or a stock note is never recommendable, whatever the frame holds
    (`cleaning`).
    """
    if "product_id" not in items.columns:
        raise BadTrainingData("items: column product_id is missing")
    frame = (
        items.with_columns(pl.col("product_id").cast(pl.String)).unique("product_id", keep="first").sort("product_id")
    )
    count = frame.height
    titles = _texts(frame, "title")
    paths = _texts(frame, "category_path")
    brands = _texts(frame, "brand")
    lists = frame["attributes"].to_list() if "attributes" in frame.columns else [[]] * count
    flags = (
        frame["recommendable"].fill_null(True).to_numpy()
        if "recommendable" in frame.columns
        else np.ones(count, dtype=bool)
    )
    attributes = tuple(
        (
            *(f"c:{part.strip()}" for part in path.split(">") if part.strip()),
            *((f"b:{brand}",) if brand else ()),
            *(f"a:{a}" for a in extra or []),
        )
        for path, brand, extra in zip(paths, brands, lists, strict=True)
    )
    sellable = np.array([not clean_titles or is_product_title(title) for title in titles], dtype=bool) & flags.astype(
        bool
    )
    return Catalog(tuple(frame["product_id"].to_list()), tuple(titles), attributes, tuple(paths), sellable)


def events_from_frame(lines: pl.DataFrame, catalog: Catalog) -> tuple[Events, tuple[str, ...], dict[str, int]]:
    """Events, user ids in index order and what was dropped, from order lines.

    Required columns: order_id, user_id (null = guest), product_id, ordered_at (datetime) or time (days). Optional:
    quantity, position, is_cancelled. Dropped: cancelled lines, quantity <= 0, products that are unknown or not
    recommendable. Lines of one product in one order are merged.
    """
    for name in ("order_id", "user_id", "product_id"):
        if name not in lines.columns:
            raise BadTrainingData(f"order lines: column {name} is missing")
    frame = _normalised(lines)
    start = frame.height
    frame = frame.filter(~pl.col("is_cancelled") & (pl.col("quantity") > 0))
    kept = frame.height
    known = [product for product, keep in zip(catalog.product_ids, catalog.recommendable, strict=True) if keep]
    frame = frame.filter(pl.col("product_id").is_in(known))
    dropped = {"cancelled_or_not_positive": start - kept, "not_a_product": kept - frame.height}
    frame = (
        frame.group_by("order_id", "product_id")
        .agg(pl.col("user_id").first(), pl.col("time").min(), pl.col("position").min(), pl.col("quantity").sum())
        .sort("time", "order_id", "position", "product_id")
    )
    user_ids = tuple(sorted(frame["user_id"].drop_nulls().unique().to_list()))
    users = {user: position for position, user in enumerate(user_ids)}
    orders = frame["order_id"].rle_id().cast(pl.Int32).to_numpy()
    events = Events(
        user=np.array([GUEST if user is None else users[user] for user in frame["user_id"].to_list()], dtype=np.int32),
        item=np.array([catalog.index[product] for product in frame["product_id"].to_list()], dtype=np.int32),
        order=np.ascontiguousarray(orders, dtype=np.int32),
        time=frame["time"].to_numpy().astype(np.float64),
        quantity=frame["quantity"].to_numpy().astype(np.float64),
    )
    return events, user_ids, dropped


def _texts(frame: pl.DataFrame, name: str) -> list[str]:
    """A column as text, empty where missing."""
    return frame[name].cast(pl.String).fill_null("").to_list() if name in frame.columns else [""] * frame.height


def _normalised(lines: pl.DataFrame) -> pl.DataFrame:
    """Order lines with every optional column present and text ids; the order's time is the time of its first line."""
    if "time" in lines.columns:
        time = pl.col("time").cast(pl.Float64)
    elif "ordered_at" in lines.columns:
        time = pl.col("ordered_at").dt.timestamp("us").cast(pl.Float64) / 86_400_000_000
    else:
        raise BadTrainingData("order lines: column ordered_at is missing")
    defaults = {"quantity": pl.lit(1.0), "is_cancelled": pl.lit(False), "position": pl.lit(0)}
    missing = [expression.alias(name) for name, expression in defaults.items() if name not in lines.columns]
    ids = [pl.col(name).cast(pl.String) for name in ("order_id", "user_id", "product_id")]
    frame = lines.with_columns(*missing, *ids, time.alias("time"))
    return frame.with_columns(
        pl.col("time").min().over("order_id"),
        pl.col("quantity").cast(pl.Float64),
        pl.col("is_cancelled").fill_null(False),
    )
