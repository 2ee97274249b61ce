"""The category tree, and the lookup of a category by id, path or name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, any_, bindparam, func, or_, select

from api.catalog.errors import CategoryNotFound
from api.catalog.models import Category, Product
from api.catalog.schemas import CategoryNode
from api.kernel.db import ReadTx
from api.kernel.ids import parse_id


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """A category without its children."""

    category_id: UUID
    parent_category_id: UUID | None
    name: str
    path: str
    level: int


_ALL = select(Category.category_id, Category.parent_category_id, Category.name, Category.path, Category.level).order_by(
    Category.level, Category.name
)


async def all_categories(tx: ReadTx) -> list[CategoryRow]:
    """Every category, parents before their children, by name."""
    return await tx.all_as(CategoryRow, _ALL)


def tree_of(rows: Iterable[CategoryRow]) -> list[CategoryNode]:
    """The roots with their descendants; `rows` has every parent before its children."""
    nodes: dict[UUID, CategoryNode] = {}
    roots: list[CategoryNode] = []
    for row in rows:
        node = CategoryNode(category_id=row.category_id, name=row.name, path=row.path, level=row.level, children=[])
        nodes[row.category_id] = node
        parent = nodes.get(row.parent_category_id) if row.parent_category_id else None
        (parent.children if parent else roots).append(node)
    return roots


def within(categories: Sequence[CategoryRow], reference: str) -> list[CategoryRow]:
    """The categories that an id, path or name stands for, with all their descendants; empty when it stands for none."""
    known, path, name = parse_id(reference), _path_of(reference).lower(), reference.lower()
    roots = [
        row
        for row in categories
        if (row.category_id == known if known is not None else row.path.lower() == path or row.name.lower() == name)
    ]
    ids, beneath = {root.category_id for root in roots}, tuple(f"{root.path}/" for root in roots)
    return [row for row in categories if row.category_id in ids or row.path.startswith(beneath)] if roots else []


def department_of(path: str) -> str:
    """The first part of a category's path: `/Electronics` of `/Electronics/Phones`."""
    return "/" + path.strip("/").partition("/")[0]


def reference_binds(reference: str) -> dict[str, object]:
    """Binds for a category named by id, path or name: `category_id`, or `category_path` and `category_name`."""
    known = parse_id(reference)
    if known is not None:
        return {"category_id": known}
    return {"category_path": _path_of(reference).lower(), "category_name": reference.lower()}


async def find_category(tx: ReadTx, reference: str) -> UUID | None:
    """One category by id, path or name; of several with the same name, the one nearest to the root."""
    binds = reference_binds(reference)
    category_id: UUID | None = await tx.scalar(_nearest(by_id="category_id" in binds), binds)
    return category_id


async def require_category(tx: ReadTx, reference: str) -> UUID:
    """As find_category. Raises: CategoryNotFound."""
    category_id = await find_category(tx, reference)
    if category_id is None:
        raise CategoryNotFound("`category` must be the id, path or name of a category of GET /categories.")
    return category_id


def readable_path(path: str) -> str:
    """`/Electronics/Phones` as shoppers read it: `Electronics > Phones`."""
    return path.strip("/").replace("/", " > ")


@cache
def _nearest(*, by_id: bool) -> Select[tuple[UUID]]:
    named = select(Category.category_id).where(_named(Category, by_id=by_id))
    return named.order_by(Category.level, Category.path).limit(1)


def _path_of(reference: str) -> str:
    return "/" + reference.strip("/").replace(" > ", "/")


def _named(category: type[Category], *, by_id: bool) -> ColumnElement[bool]:
    if by_id:
        return category.category_id == bindparam("category_id")
    return or_(
        func.lower(category.path) == bindparam("category_path"), func.lower(category.name) == bindparam("category_name")
    )


_PATHS = (
    select(Product.product_id, Category.path)
    .join(Category, Category.category_id == Product.category_id)
    .where(Product.product_id == any_(bindparam("product_ids", type_=ARRAY(Uuid))))
)


async def paths_of(tx: ReadTx, product_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The category path of each of these products, withdrawn ones included."""
    rows = await tx.all(_PATHS, {"product_ids": list(product_ids)})
    return {row[0]: row[1] for row in rows}
