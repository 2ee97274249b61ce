"""What makes two spellings one brand, in Python and in SQL: search, its facets, and lists have the same rule."""

import unicodedata
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    SQLColumnExpression,
    String,
    any_,
    bindparam,
    collate,
    func,
    literal_column,
    select,
)

from api.catalog.models import PricePoint
from api.kernel.db import ReadTx

# Words of SQL, not values.
_NFKC: ColumnElement[str] = literal_column("NFKC")
_BLANKS: ColumnElement[str] = literal_column(r"'\s+'")
_BLANK: ColumnElement[str] = literal_column("' '")
_EACH: ColumnElement[str] = literal_column("'g'")


def key_of(text: str) -> str:
    """What names and values are equal by: whatever their case, their blanks, and how their characters are composed."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())


def key_in_sql(text: SQLColumnExpression[Any]) -> ColumnElement[str]:  # Any: null or not
    """As `key_of`, for a column: too slow for a condition of a list."""
    folded = func.casefold(collate(func.normalize(text, _NFKC), "pg_unicode_fast"))
    return func.btrim(func.regexp_replace(func.normalize(folded, _NFKC), _BLANKS, _BLANK, _EACH))


async def spellings_of(tx: ReadTx, keys: Collection[str]) -> Sequence[str]:
    """Every spelling, of products on sale, of brands by their keys: for a shop without an index, which knows them."""
    return [row[0] for row in await tx.all(_SPELLINGS, {"keys": list(keys)})]


_SPELLINGS = (
    select(PricePoint.brand)
    .distinct()
    .where(PricePoint.on_sale.expression, key_in_sql(PricePoint.brand) == any_(bindparam("keys", type_=ARRAY(String))))
    .order_by(PricePoint.brand)
)
