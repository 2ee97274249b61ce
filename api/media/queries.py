"""What is known of pictures."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    SQLColumnExpression,
    String,
    any_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import BIT
from sqlalchemy.orm import aliased
from sqlalchemy.sql.selectable import LateralFromClause

from api.kernel.db import ReadTx, Tx
from api.media.models import Picture
from api.media.naming import PREFIX
from api.media.press.perceptual import BAND_BITS, MOST_DIFFERENT

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


# What turns a band into itself and into each that differs from it in one bit.
_FLIPS = literal([0, *(1 << bit for bit in range(BAND_BITS))], ARRAY(Integer))


def alike(name: SQLColumnExpression[str | None]) -> LateralFromClause:
    """A table of one column, `name`: the named picture, and those that it is taken for by people. Join it on true.

    It reads an index by the bands of the picture, whatever the number of pictures.
    """
    itself, one, other = aliased(Picture), aliased(Picture), aliased(Picture)
    band = func.unnest(one.bands, type_=Integer).column_valued("band")
    flip = func.unnest(_FLIPS, type_=Integer).column_valued("flip")
    near = select(func.array_agg(band.op("#")(flip), type_=ARRAY(Integer)).label("bands")).lateral("near")
    differing = func.bit_count(cast(one.perceptual_hash.op("#")(other.perceptual_hash), BIT(64)))
    found = (
        select(other.name)
        .select_from(one)
        .join(near, true())
        .join(other, other.bands.op("&&")(near.c.bands))
        .where(one.name == name, differing <= MOST_DIFFERENT)
    )
    return union_all(select(itself.name).where(itself.name == name), found).lateral("alike")


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
