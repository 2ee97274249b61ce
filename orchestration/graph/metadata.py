"""Types for the metadata of assets; Dagster's own types are generic or private."""

from typing import TypeAlias

import dagster as dg

Metadata: TypeAlias = dict[str, str | int | float | bool | None]
"""Name -> figure; keys that begin with dagster/ have a meaning to its pages."""

Materialized: TypeAlias = dg.MaterializeResult[None]
"""An asset that is stored; no value is passed between steps."""
