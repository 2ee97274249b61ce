"""The category tree, and the lookup of a category by id, path or name."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, func, or_, select
from sqlalchemy.orm import aliased

from api.catalog.errors import CategoryNotFound
from api.catalog.models import Category
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


_TREE = select(
    Category.category_id, Category.parent_category_id, Category.name, Category.path, Category.level
).order_by(Category.level, Category.name)


async def category_tree(tx: ReadTx) -> list[CategoryNode]:
    """All departments with their descendants, by name."""
    return tree_of(await tx.all_as(CategoryRow, _TREE))


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


def within(*, by_id: bool) -> Select[tuple[UUID]]:
    """Ids of the categories that the binds of `reference_binds` name, with all their
    descendants; empty when no category matches."""
    root, below = aliased(Category), aliased(Category)
    # Not LIKE, because an underscore or per cent sign in a name would be a wildcard.
    beneath = func.starts_with(below.path, root.path + "/")
    return (
        select(below.category_id)
        .join(root, or_(below.category_id == root.category_id, beneath))
        .where(_named(root, by_id=by_id))
    )


def reference_binds(reference: str) -> dict[str, object]:
    """Binds for a category named by id, path or name: `category_id`, or `category_path` and `category_name`."""
    known = parse_id(reference)
    if known is not None:
        return {"category_id": known}
    path = "/" + reference.strip("/").replace(" > ", "/")
    return {"category_path": path.lower(), "category_name": reference.lower()}


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


def _named(category: type[Category], *, by_id: bool) -> ColumnElement[bool]:
    if by_id:
        return category.category_id == bindparam("category_id")
    return or_(
        func.lower(category.path) == bindparam("category_path"), func.lower(category.name) == bindparam("category_name")
    )
