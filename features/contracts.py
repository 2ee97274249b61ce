"""dbt's enforced contract of `models/features`, rendered from the list of columns by `make generate`."""

import json

from features.columns import (
    CREATED_TIMESTAMP,
    EVENT_TIMESTAMP,
    KEYS,
    MODELS,
    Dtype,
    FeatureColumn,
    columns_of,
    entity_of,
)

DUCKDB_TYPES: dict[Dtype, str] = {
    "int64": "bigint",
    "float64": "double",
    "bool": "boolean",
    "string": "varchar",
    "strings": "varchar[]",
}
_HEAD = "# Written by `make generate` from features/columns.py. Do not edit.\nversion: 2\n\nmodels:\n"


def render() -> str:
    """The yml text: every feature model with its columns, types, not-null constraints, grain and owner."""
    return _HEAD + "\n".join(_model(model) for model in MODELS)


def _model(model: str) -> str:
    key = KEYS[entity_of(model)]
    lines = [
        f"  - name: {model}",
        (
            f"    description: One row per {key} and instant at which a feature changed. A reader at time t takes the"
            " newest row up to t."
        ),
        "    data_tests:",
        "      - unique_together:",
        f"          arguments: {{columns: [{key}, {EVENT_TIMESTAMP}]}}",
        "    columns:",
        *_column(key, "varchar", f"Join key of entity {entity_of(model)}"),
        *_column(EVENT_TIMESTAMP, "timestamp with time zone", "From when on the values hold"),
        *_column(CREATED_TIMESTAMP, "timestamp with time zone", "Watermark of the published set; the newer wins a tie"),
    ]
    for column in columns_of(model):
        lines += _column(column.name, DUCKDB_TYPES[column.dtype], _description(column))
    return "\n".join(lines) + "\n"


def _description(column: FeatureColumn) -> str:
    return f"{column.description} [{column.unit}]"


def _column(name: str, data_type: str, description: str) -> list[str]:
    return [
        f"      - name: {name}",
        f"        data_type: {data_type}",
        f"        description: {json.dumps(description)}",
        "        constraints:",
        "          - type: not_null",
    ]
