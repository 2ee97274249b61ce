"""Feast feature views, one per dbt model of the list, over one published set of Parquet files."""

from datetime import timedelta
from pathlib import Path

import features.light_feast  # noqa: F401 - before Feast

# isort: split
from feast import FeatureView, Field, FileSource
from feast.types import Array, Bool, FeastType, Float64, Int64, String

from features.columns import (
    CREATED_TIMESTAMP,
    EVENT_TIMESTAMP,
    KEYS,
    MODELS,
    ONLINE,
    Dtype,
    columns_hash,
    columns_of,
    entity_of,
)
from features.entities import ENTITIES

TYPES: dict[Dtype, FeastType] = {
    "int64": Int64,
    "float64": Float64,
    "bool": Bool,
    "string": String,
    "strings": Array(String),
}
_OWNER = "ml@souk.example"


def feature_view(model: str, folder: Path) -> FeatureView:
    """The view of one dbt model. Rows hold until the next one of the same entity, so there is no time to live."""
    entity = entity_of(model)
    source = FileSource(
        name=f"{model}_file",
        path=str(folder / f"{model}.parquet"),
        timestamp_field=EVENT_TIMESTAMP,
        created_timestamp_column=CREATED_TIMESTAMP,
    )
    schema = [Field(name=KEYS[entity], dtype=String)]
    schema += [
        Field(name=column.name, dtype=TYPES[column.dtype], description=f"{column.description} [{column.unit}]")
        for column in columns_of(model)
    ]
    return FeatureView(
        name=model,
        entities=[ENTITIES[entity]],
        schema=schema,
        source=source,
        ttl=timedelta(0),
        online=model in ONLINE,
        owner=_OWNER,
        tags={"entity": entity, "columns_hash": columns_hash()},
    )


def feature_views(folder: Path) -> dict[str, FeatureView]:
    """All views by model, in the list's order."""
    return {model: feature_view(model, folder) for model in MODELS}
