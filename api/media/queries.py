"""What is known of pictures."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ARRAY, ColumnElement, SQLColumnExpression, String, any_, bindparam, literal_column, or_, select

from api.kernel.db import ReadTx, Tx
from api.media.models import Picture
from api.media.naming import PREFIX

_NAMES = select(Picture.digest, Picture.name)
_THERE = _NAMES.where(
    or_(
        Picture.name == any_(bindparam("names", type_=ARRAY(String))),
        Picture.digest == any_(bindparam("digests", type_=ARRAY(String))),
    )
)
_HELD = (
    _NAMES.where(Picture.digest == any_(bindparam("digests", type_=ARRAY(String))))
    .order_by(Picture.digest)
    .with_for_update(key_share=True, read=True)
)
# What a page says of a picture next to its addresses; join it by the name.
MEASURES = select(Picture.name, Picture.width, Picture.height, Picture.blur).subquery("measures")


def address_of(name: SQLColumnExpression[str | None], size: int) -> ColumnElement[str]:
    """`naming.address` of a column, null where that is null."""
    return literal_column(f"'{PREFIX}'", String).concat(name).concat(literal_column(f"'/{size}.webp'", String))


@dataclass(frozen=True, slots=True)
class _Named:
    digest: str
    name: str


async def names_there(tx: ReadTx, names: Collection[str], digests: Collection[str]) -> dict[str, str]:
    """Digest -> name of those of the pictures that have a row."""
    if not names and not digests:
        return {}
    found = await tx.all_as(_Named, _THERE, {"names": list(names), "digests": list(digests)})
    return {one.digest: one.name for one in found}


async def held_names(tx: Tx, digests: Collection[str]) -> dict[str, str]:
    """The same, and nobody collects them before the transaction has ended."""
    found = await tx.all_as(_Named, _HELD, {"digests": sorted(set(digests))})
    return {one.digest: one.name for one in found}
