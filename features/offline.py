"""The past, point in time: for each (entity, instant) the feature values that were known then."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from features.columns import COLUMNS, EVENT_TIMESTAMP, KEYS, REQUEST, SHOP_ID, STORED, Dtype, Entity, FeatureColumn

if TYPE_CHECKING:
    from feast import FeatureStore

_ROW = "_row"
_POLARS: dict[Dtype, pl.DataType] = {
    "int64": pl.Int64(),
    "float64": pl.Float64(),
    "bool": pl.Boolean(),
    "string": pl.String(),
    "strings": pl.List(pl.String),
}


def training_frame(entity_rows: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """`entity_rows` (product_id and/or user_id, event_timestamp UTC, anything else) with every column of those
    entities, in order.

    Row i of the answer belongs to row i of the question. `folder` is one published set (`published.published`). Values
    are the newest rows at or before each event_timestamp; an entity without one gets the defaults. Columns of
    `entity_rows` come first, untouched.
    """
    from features.store import offline_store

    asked: list[Entity] = [entity for entity in KEYS if entity != "shop" and KEYS[entity] in entity_rows.columns]
    rows = entity_rows.with_columns(pl.col(EVENT_TIMESTAMP).dt.convert_time_zone("UTC").dt.cast_time_unit("us"))
    complete = rows.with_columns(pl.lit(SHOP_ID).alias(KEYS["shop"]))
    with tempfile.TemporaryDirectory(prefix="souk-features-") as scratch:
        store = offline_store(folder, Path(scratch))
        for entity in (*asked, "shop"):
            found = _stored(store, entity, complete.select(KEYS[entity], EVENT_TIMESTAMP))
            complete = complete.join(
                found, on=[KEYS[entity], EVENT_TIMESTAMP], how="left", nulls_equal=True, maintain_order="left"
            )
    complete = request_time(complete, {*asked, "shop"})
    names = [column.name for column in COLUMNS if column.entity in {*asked, "shop"}]
    return complete.select(*entity_rows.columns, *names)


def _stored(store: "FeatureStore", entity: Entity, questions: pl.DataFrame) -> pl.DataFrame:
    """One entity's stored columns at each different (entity, instant). Asked apart, because Feast's join pays for every
    row it is given: lines of 400 shoppers at 20,000 instants are few questions about shoppers and few about products,
    and very many about both."""
    wanted = [column for column in STORED if column.entity == entity]
    unique = questions.unique(maintain_order=True).with_row_index(_ROW)
    job = store.get_historical_features(
        entity_df=unique.to_pandas(), features=[f"{column.model}:{column.name}" for column in wanted]
    )
    found = pl.DataFrame(job.to_arrow()).select(_ROW, *(column.name for column in wanted))
    return unique.join(with_defaults(found, wanted), on=_ROW, how="left").drop(_ROW)


def with_defaults(frame: pl.DataFrame, columns: list[FeatureColumn]) -> pl.DataFrame:
    """Nulls become the column's default and every column its own type."""
    return frame.with_columns(
        pl.col(column.name).cast(_POLARS[column.dtype]).fill_null(pl.lit(_literal(column), dtype=_POLARS[column.dtype]))
        for column in columns
    )


def request_time(frame: pl.DataFrame, entities: set[Entity]) -> pl.DataFrame:
    """Add the columns that are computed when they are read. Both stored columns of the formula must be there, defaults
    filled."""
    return frame.with_columns(
        (pl.col(column.minus[0]) - pl.col(column.minus[1])).alias(column.name)
        for column in COLUMNS
        if column.model == REQUEST and column.entity in entities and column.minus is not None
    )


def _literal(column: FeatureColumn) -> object:
    return list(column.default) if isinstance(column.default, tuple) else column.default
