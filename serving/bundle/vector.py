"""Which features this process can fill, by the one list that dbt, Feast and training use too."""

from collections.abc import Mapping
from dataclasses import dataclass

from features.columns import columns_hash, numeric_columns


@dataclass(frozen=True)
class Vector:
    """Names in the list's order. defaults: name -> the value of an entity without a row. known: every name a ranker may
    ask for."""

    columns_hash: str
    product_columns: tuple[str, ...]
    user_columns: tuple[str, ...]
    defaults: Mapping[str, float]

    @property
    def known(self) -> frozenset[str]:
        return frozenset(self.product_columns + self.user_columns)


def load_vector() -> Vector:
    """The list of this installation."""
    product, user = numeric_columns("product"), numeric_columns("user")
    defaults = {
        column.name: float(column.default) for column in (*product, *user) if not isinstance(column.default, tuple)
    }
    return Vector(columns_hash(), tuple(c.name for c in product), tuple(c.name for c in user), defaults)
