"""Types of what assets report; Dagster's own are generic or private."""

from typing import TypeAlias

import dagster as dg

Metadata: TypeAlias = dict[str, str | int | float | bool | None]
"""Name -> figure; keys that begin with dagster/ have a meaning to its pages."""

Made: TypeAlias = dg.MaterializeResult[None]
"""An asset that lies at rest somewhere; no value travels between steps."""
