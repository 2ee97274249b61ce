"""The category tree, and the lookup of a category by id, path or name; also by what it was called before."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    String,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    func,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from api.catalog.errors import CategoryNotFound
from api.catalog.models import Category, Product
from api.catalog.schemas import Breadcrumb, CategoryNode
from api.catalog.tree.models import CategoryRedirect
from api.kernel.db import ReadTx, Tx, all_as
from api.kernel.ids import parse_id
from api.kernel.languages import Reader


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """A category without its children. `names`: what it is called in other languages."""

    category_id: UUID
    parent_category_id: UUID | None
    name: str
    path: str
    level: int
    names: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class Tree:
    """Every category, parents before their children; `moved`: id of a merged one, or old path in small letters -> where
    it is now."""

    rows: tuple[CategoryRow, ...] = ()
    moved: Mapping[str, UUID] = field(default_factory=dict)

    def within(self, reference: str) -> list[CategoryRow]:
        """The categories that an id, path or name stands for, with all below them; empty when it stands for none."""
        return within(self.rows, reference) or self._where_it_is(reference)

    def _where_it_is(self, reference: str) -> list[CategoryRow]:
        moved = self.moved.get(moved_key(reference))
        return within(self.rows, str(moved)) if moved is not None else []


@dataclass(frozen=True, slots=True)
class _Moved:
    was: str
    category_id: UUID


IN_TREE = Category.removed_at.is_(None)
# Of a CategoryRow.
COLUMNS = (
    Category.category_id,
    Category.parent_category_id,
    Category.name,
    Category.path,
    Category.level,
    Category.names,
)
_ALL = select(*COLUMNS).where(IN_TREE).order_by(Category.level, Category.name)
_MERGED = select(cast(Category.category_id, Text).label("was"), Category.merged_into.label("category_id")).where(
    Category.merged_into.is_not(None)
)
_RENAMED = select(CategoryRedirect.path.label("was"), CategoryRedirect.category_id)
_MOVED: CompoundSelect[Any] = union_all(_MERGED, _RENAMED)  # Any: the columns of a _Moved


async def all_categories(tx: ReadTx) -> list[CategoryRow]:
    """Every category, parents before their children, by name."""
    return await tx.all_as(CategoryRow, _ALL)


async def tree_now(tx: ReadTx) -> Tree:
    rows, moved = await tx.batch(all_as(CategoryRow, _ALL), all_as(_Moved, _MOVED))
    return Tree(tuple(rows), {one.was: one.category_id for one in moved})


def tree_of(rows: Iterable[CategoryRow], reader: Reader) -> list[CategoryNode]:
    """The roots with their descendants; `rows` has every parent before its children."""
    nodes: dict[UUID, CategoryNode] = {}
    roots: list[CategoryNode] = []
    for row in rows:
        name, language = named(row.name, row.names, reader)
        node = CategoryNode(
            category_id=row.category_id,
            name=name,
            path=row.path,
            level=row.level,
            children=[],
            name_language=language,
        )
        nodes[row.category_id] = node
        parent = nodes.get(row.parent_category_id) if row.parent_category_id else None
        (parent.children if parent else roots).append(node)
    return roots


def within(categories: Sequence[CategoryRow], reference: str) -> list[CategoryRow]:
    """As Tree.within, among these categories and by their names of today."""
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


def moved_key(reference: str) -> str:
    """What a reference is called among what has moved: an id, or a path in small letters."""
    known = parse_id(reference)
    return str(known) if known is not None else _path_of(reference).lower()


def reference_binds(reference: str) -> dict[str, object]:
    """Binds for a category named by id, path or name: `category_id`, or `category_path` and `category_name`."""
    known = parse_id(reference)
    if known is not None:
        return {"category_id": known}
    return {"category_path": _path_of(reference).lower(), "category_name": reference.lower()}


async def find_category(tx: ReadTx, reference: str) -> UUID | None:
    """One category by id, path or name; of several with the same name, the one nearest to the root. By an old path, or
    the id of one that was merged, it is where that is now."""
    return await _found(tx, reference, kept=False)


async def require_category(tx: Tx, reference: str) -> UUID:
    """As find_category, and nobody takes it out of the tree before the end of the transaction.

    Raises: CategoryNotFound.
    """
    category_id = await _found(tx, reference, kept=True)
    if category_id is None:
        raise CategoryNotFound("`category` must be the id, path or name of a category of GET /categories.")
    return category_id


async def moved_to(tx: ReadTx, reference: str) -> UUID | None:
    """Where the category is that had this path, or was merged and had this id."""
    moved = _MOVED.subquery()
    found = select(moved.c.category_id).where(moved.c.was == bindparam("was", type_=String))
    category_id: UUID | None = await tx.scalar(found, {"was": moved_key(reference)})
    return category_id


def ancestry(own: Select[tuple[UUID]]) -> CTE:
    """The category whose id `own` finds, and those above it, as rows of `COLUMNS`."""
    up = select(*COLUMNS).where(Category.category_id == own.scalar_subquery()).cte("ancestry", recursive=True)
    above = select(*COLUMNS).join(up, Category.category_id == up.c.parent_category_id)
    return up.union(above)


def breadcrumbs(own: Select[tuple[UUID]]) -> ColumnElement[object]:
    """The JSON, for `crumbs_of`, of what leads from the department to the category whose id `own` finds."""
    up = ancestry(own)
    crumb = func.jsonb_build_object(
        "categoryId", up.c.category_id, "name", up.c.name, "path", up.c.path, "names", up.c.names
    )
    return select(func.jsonb_agg(aggregate_order_by(crumb, cast(up.c.level, Integer)))).scalar_subquery()


def named(name: str, names: Mapping[str, str] | None, reader: Reader) -> tuple[str, str | None]:
    """What a category is called for a reader, and the language of that where it is another."""
    return reader.text(name, (names or {}).get(reader.language))


def crumbs_of(rows: Iterable[Mapping[str, Any]], reader: Reader) -> list[Breadcrumb]:  # Any: JSON
    """The breadcrumbs that `breadcrumbs` has read."""
    crumbs = []
    for row in rows:
        name, language = named(row["name"], row["names"], reader)
        crumbs.append(
            Breadcrumb(category_id=UUID(row["categoryId"]), name=name, path=row["path"], name_language=language)
        )
    return crumbs


async def _found(tx: ReadTx, reference: str, *, kept: bool) -> UUID | None:
    binds = reference_binds(reference)
    category_id: UUID | None = await tx.scalar(_nearest(by_id="category_id" in binds, kept=kept), binds)
    if category_id is None and (moved := await moved_to(tx, reference)) is not None:
        return await _found(tx, str(moved), kept=kept) if str(moved) != reference else None
    return category_id


@cache
def _nearest(*, by_id: bool, kept: bool) -> Select[tuple[UUID]]:
    named = select(Category.category_id).where(IN_TREE, _named(Category, by_id=by_id))
    nearest = named.order_by(Category.level, Category.path).limit(1)
    # The lock that a product's foreign key takes anyway: whoever removes the category waits for it, or is waited for.
    return nearest.with_for_update(read=True, key_share=True) if kept else nearest


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
