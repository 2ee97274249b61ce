"""Reads of the category tree: one category with its neighbours, and what lies below one."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Select, Uuid, any_, bindparam, column, func, select, true

from api.catalog.errors import CategoryNotFound
from api.catalog.models import Category, Product
from api.catalog.queries.categories import (
    COLUMNS,
    IN_TREE,
    CategoryRow,
    breadcrumbs,
    crumbs_of,
    find_category,
    named,
    within,
)
from api.catalog.schemas import Breadcrumb
from api.catalog.tree.schemas import CategoryBody, CategoryMoved
from api.kernel.db import ReadTx, all_as, first_as
from api.kernel.languages import Reader

UNKNOWN = "There is no category with this id, path or name; GET /categories lists all."


@dataclass(frozen=True, slots=True)
class _Own(CategoryRow):
    breadcrumbs: list[dict[str, Any]]  # Any: JSON


@dataclass(frozen=True, slots=True)
class _Child:
    category_id: UUID
    name: str
    path: str
    names: dict[str, str] | None


_ASKED = select(bindparam("category_id", type_=Uuid))
_OWN = select(*COLUMNS, breadcrumbs(_ASKED).label("breadcrumbs")).where(
    Category.category_id == bindparam("category_id"), IN_TREE
)
_CHILDREN = (
    select(Category.category_id, Category.name, Category.path, Category.names)
    .where(Category.parent_category_id == bindparam("category_id"), IN_TREE)
    .order_by(Category.name)
)
_PRODUCTS = select(Product.product_id).where(Product.category_id == any_(bindparam("categories", type_=ARRAY(Uuid))))

_SOLD_BY = select(Product.product_id).where(Product.seller_id == any_(bindparam("sellers", type_=ARRAY(Uuid))))

_EACH = (
    func.unnest(bindparam("sellers", type_=ARRAY(Uuid)))
    .table_valued(column("seller_id", Uuid), name="asked")
    .render_derived()
)
_SOLD_BY_ONE = (
    select(Product.product_id)
    .where(Product.seller_id == _EACH.c.seller_id)
    .order_by(Product.product_id)
    .limit(bindparam("most", type_=Integer))
    .lateral("sold")
)
_SOLD_BY_EACH = select(_EACH.c.seller_id, _SOLD_BY_ONE.c.product_id).join(_SOLD_BY_ONE, true())


def below(category_id: UUID) -> Select[Any]:  # Any: the columns of a CategoryRow
    """The category and everything below it in the tree, parents first."""
    down = select(*COLUMNS).where(Category.category_id == category_id, IN_TREE).cte("below", recursive=True)
    children = select(*COLUMNS).join(down, Category.parent_category_id == down.c.category_id).where(IN_TREE)
    down = down.union(children)
    return select(*down.c).order_by(down.c.level)


async def category_of(tx: ReadTx, reference: str, reader: Reader) -> CategoryBody | CategoryMoved:
    """A category by id, path or name, as it is called for the reader; where it is now, when it was asked for by an old
    path or as one that was merged.

    Raises: CategoryNotFound.
    """
    category_id = await find_category(tx, reference)
    if category_id is None:
        raise CategoryNotFound(UNKNOWN)
    asked = {"category_id": category_id}
    own, children = await tx.batch(first_as(_Own, _OWN, asked), all_as(_Child, _CHILDREN, asked))
    if own is None:
        raise CategoryNotFound(UNKNOWN)
    if not within([own], reference):
        return CategoryMoved(category_id=own.category_id, path=own.path)
    name, language = named(own.name, own.names, reader)
    return CategoryBody(
        category_id=own.category_id,
        name=name,
        name_language=language,
        names=own.names or {},
        path=own.path,
        level=own.level,
        parent_category_id=own.parent_category_id,
        breadcrumbs=crumbs_of(own.breadcrumbs, reader),
        children=[_crumb(child, reader) for child in children],
    )


def _crumb(child: _Child, reader: Reader) -> Breadcrumb:
    name, language = named(child.name, child.names, reader)
    return Breadcrumb(category_id=child.category_id, name=name, path=child.path, name_language=language)


async def products_in(tx: ReadTx, categories: Collection[UUID]) -> set[UUID]:
    """The products whose own category is one of these, withdrawn ones included."""
    rows = await tx.all(_PRODUCTS, {"categories": list(categories)}) if categories else []
    return {row[0] for row in rows}


async def products_of_sellers(tx: ReadTx, sellers: Collection[UUID]) -> set[UUID]:
    """The products of these stores, withdrawn ones included."""
    rows = await tx.all(_SOLD_BY, {"sellers": list(sellers)}) if sellers else []
    return {row[0] for row in rows}


async def products_of_small_sellers(tx: ReadTx, sellers: Collection[UUID], most: int) -> set[UUID]:
    """The same of those stores that have at most so many."""
    rows = await tx.all(_SOLD_BY_EACH, {"sellers": list(sellers), "most": most + 1}) if sellers else []
    many = {seller for seller, count in Counter(row[0] for row in rows).items() if count > most}
    return {row[1] for row in rows if row[0] not in many}
