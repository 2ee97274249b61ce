"""Changes of the category tree by administrators: create, rename, move, merge, delete.

One change at a time: each takes the tree's lock, so what it checks is still so when it commits. A change costs what is
below the category: the paths there are written in the same commit, and an event names what must be shown anew.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Integer,
    Select,
    String,
    Uuid,
    any_,
    bindparam,
    column,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from api.catalog.commands.keeping import Change, keep_first_versions, keep_versions
from api.catalog.errors import CategoryNotFound
from api.catalog.models import Category, Product
from api.catalog.pages import TREE
from api.catalog.queries.categories import COLUMNS, IN_TREE, CategoryRow, ancestry
from api.catalog.tree.errors import CategoryCycle, CategoryNameTaken, CategoryNotEmpty, CategoryTooDeep
from api.catalog.tree.models import CategoryRedirect
from api.catalog.tree.queries import UNKNOWN, below
from api.catalog.tree.schemas import CategoryIn, CategoryPatch
from api.kernel import outbox
from api.kernel.actor import Actor, require_administrator
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.errors import FieldError, ValidationFailed
from api.kernel.feeds import announce_soon
from api.kernel.ids import new_id

T = TypeVar("T")
TREE_LOCK = 7_305_831
MAX_LEVELS = 8
LONGEST_PATH = 1_000
# A merge writes every product of a category.
SECONDS = 30
# Products in one event: an event's payload is limited.
NAMED_AT_ONCE = 5_000

_LOCK = select(func.pg_advisory_xact_lock(TREE_LOCK), func.set_config("statement_timeout", f"{SECONDS}s", True))
_ONE = select(*COLUMNS).where(Category.category_id == bindparam("category_id"), IN_TREE)
_IN_USE = select(Product.product_id).where(
    Product.category_id == bindparam("category_id"), Product.deleted_at.is_(None)
)
_PRODUCTS = (
    select(Product.product_id)
    .where(Product.category_id == bindparam("category_id"))
    .order_by(Product.product_id)
    .with_for_update(key_share=True)
)


@dataclass(slots=True)
class _Changed:
    """What a change has touched: categories with a new path, and products with a new category."""

    categories: list[UUID] = field(default_factory=list)
    products: list[UUID] = field(default_factory=list)


async def create_category(ctx: Context, actor: Actor, body: CategoryIn) -> UUID:
    """The new category's id.

    Raises: Forbidden; CategoryNotFound, when there is no such parent; CategoryNameTaken; CategoryTooDeep.
    """
    require_administrator(actor)

    async def work(tx: Tx) -> UUID:
        await lock_tree(tx)
        category_id = new_id()
        path, level = await place(tx, body.parent_category_id, body.name, category_id)
        _require_room(path, level)
        values = {
            "category_id": category_id,
            "parent_category_id": body.parent_category_id,
            "name": body.name,
            "path": path,
            "level": level,
        }
        names = _names(ctx, {}, body.names)
        await tx.execute(insert(Category).values({**values, "names": names}))
        await _forget_redirects(tx, [path])
        await _tell(tx, category_id, _Changed([category_id]))
        return category_id

    return await _changed(ctx, work)


async def change_category(ctx: Context, actor: Actor, category_id: UUID, body: CategoryPatch) -> None:
    """Give the category another name, another parent, or other names in other languages. Its old path leads to it.

    Raises: as create_category, and CategoryCycle when the parent is the category itself or below it.
    """
    require_administrator(actor)
    sent = body.model_fields_set
    if "name" in sent and body.name is None:
        raise ValidationFailed(
            "A category has a name.", errors=[FieldError(pointer="/name", message="must not be null")]
        )

    async def work(tx: Tx) -> None:
        await lock_tree(tx)
        own = await _one(tx, category_id)
        name = body.name if body.name is not None else own.name
        parent = body.parent_category_id if "parent_category_id" in sent else own.parent_category_id
        names = _names(ctx, own.names, body.names) if "names" in sent else own.names
        moved, renamed = (name, parent) != (own.name, own.parent_category_id), names != own.names
        changed = _Changed()
        if renamed:
            changed.categories += await _rename(tx, category_id, names)
        if moved:
            await _move(tx, own, parent, name, changed)
        if moved or renamed:
            await _tell(tx, category_id, changed)

    await _changed(ctx, work)


async def merge_category(ctx: Context, actor: Actor, category_id: UUID, into: UUID) -> None:
    """Give everything of a category to another one, which its id and path lead to from now on. Categories below it
    that have a namesake there are merged into that, the others move. The attributes that it defines end with it.

    Raises: Forbidden; CategoryNotFound; CategoryCycle when it would be merged into itself or something below it;
    CategoryTooDeep.
    """
    require_administrator(actor)

    async def work(tx: Tx) -> None:
        await lock_tree(tx)
        source, target = await _one(tx, category_id), await _one(tx, into)
        if category_id in await _above(tx, into):
            raise CategoryCycle("Merge it into a category that is not below it.")
        changed = _Changed()
        pairs = [(source, target)]
        while pairs:
            pairs += await _merge(tx, actor, *pairs.pop(), changed)
        await _tell(tx, into, changed)

    await _changed(ctx, work)


async def delete_category(ctx: Context, actor: Actor, category_id: UUID) -> None:
    """Take an empty category out of the tree. Raises: Forbidden; CategoryNotFound; CategoryNotEmpty."""
    require_administrator(actor)

    async def work(tx: Tx) -> None:
        await lock_tree(tx)
        # Before it is looked into: whoever is putting a product into it has committed, or finds it gone.
        await _take_out(tx, category_id, None)
        inside = select(Category.category_id).where(Category.parent_category_id == category_id, IN_TREE).limit(1)
        if await tx.first(inside) is not None or await tx.first(_IN_USE.limit(1), {"category_id": category_id}):
            raise CategoryNotEmpty("Move its products and categories, or merge it into another category.")
        await tx.execute(delete(CategoryRedirect).where(CategoryRedirect.category_id == category_id))
        await _tell(tx, category_id, _Changed([category_id]))

    await _changed(ctx, work)


async def lock_tree(tx: Tx) -> None:
    """Let no other change of the tree happen before this one has committed."""
    await tx.execute(_LOCK)


async def _changed(ctx: Context, work: Callable[[Tx], Awaitable[T]]) -> T:
    done = await ctx.db.run(work)
    await announce_soon(ctx.redis, (TREE,))
    return done


async def _one(tx: Tx, category_id: UUID) -> CategoryRow:
    row = await tx.first_as(CategoryRow, _ONE, {"category_id": category_id})
    if row is None:
        raise CategoryNotFound(UNKNOWN)
    return row


def _names(
    ctx: Context, before: Mapping[str, str] | None, sent: Mapping[str, str | None] | None
) -> dict[str, str] | None:
    """The names in other languages, when these are sent. Raises: ValidationFailed for a language that the catalog
    may not be in, and for the shop's own, in which the category has its name."""
    languages = ctx.settings.languages
    faults = [
        languages.fault(f"/names/{tag}") for tag, name in (sent or {}).items() if name and tag not in languages.known
    ]
    if (sent or {}).get(languages.own):
        faults.append(
            FieldError(pointer=f"/names/{languages.own}", message="is the shop's own language; send it as name")
        )
    if faults:
        raise ValidationFailed("The languages of the names are not right.", errors=faults)
    merged = {**(before or {}), **sent} if sent is not None else {}
    return {tag: name for tag, name in merged.items() if name} or None


async def _rename(tx: Tx, category_id: UUID, names: Mapping[str, str] | None) -> list[UUID]:
    """Set the names in other languages; returns the category and those below it, whose breadcrumbs show them."""
    await tx.execute(update(Category).where(Category.category_id == category_id).values(names=names))
    rows = await tx.all_as(CategoryRow, below(category_id))
    shown = [row.category_id for row in rows]
    # The search index reads what has changed by this time.
    placed = update(Category).where(Category.category_id == any_(bindparam("shown", type_=ARRAY(Uuid))))
    await tx.execute(placed.values(updated_at=func.now()), {"shown": shown})
    return shown


async def _above(tx: Tx, category_id: UUID) -> set[UUID]:
    """The category and those above it."""
    up = ancestry(select(bindparam("category_id", type_=Uuid)))
    return {row[0] for row in await tx.all(select(up.c.category_id), {"category_id": category_id})}


async def place(tx: Tx, parent_id: UUID | None, name: str, own: UUID) -> tuple[str, int]:
    """Path and level of a category there. Raises: CategoryNotFound; CategoryNameTaken."""
    parent = await _one(tx, parent_id) if parent_id is not None else None
    siblings = select(Category.category_id).where(
        Category.parent_category_id.is_not_distinct_from(parent_id),
        func.lower(Category.name) == func.lower(bindparam("name", type_=String)),
        Category.category_id != own,
        IN_TREE,
    )
    taken = await tx.scalar(siblings.limit(1), {"name": name})
    if taken is not None:
        raise CategoryNameTaken("Choose another name, or merge the two.", extra={"categoryId": str(taken)})
    return (f"{parent.path}/{name}", parent.level + 1) if parent is not None else (f"/{name}", 0)


def _require_room(path: str, level: int) -> None:
    if level >= MAX_LEVELS:
        raise CategoryTooDeep(f"The tree has at most {MAX_LEVELS} levels.")
    if len(path) > LONGEST_PATH:
        raise CategoryTooDeep(f"The names on a path have at most {LONGEST_PATH} characters together.")


async def _move(tx: Tx, own: CategoryRow, parent: UUID | None, name: str, changed: _Changed) -> None:
    """Set the place and name of a category, and the paths of all below it."""
    if parent is not None and own.category_id in await _above(tx, parent):
        raise CategoryCycle("Choose a parent that is not below the category.")
    path, level = await place(tx, parent, name, own.category_id)
    rows = await tx.all_as(CategoryRow, below(own.category_id))
    paths = [path + row.path[len(own.path) :] for row in rows]
    levels = [row.level + level - own.level for row in rows]
    for new_path, new_level in zip(paths, levels, strict=True):
        _require_room(new_path, new_level)
    placed = {"parent_category_id": parent, "name": name}
    await tx.execute(update(Category).where(Category.category_id == own.category_id).values(placed))
    await _set_paths(tx, [row.category_id for row in rows], paths, levels)
    await _forget_redirects(tx, paths)
    moved = [
        (row.path, row.category_id) for row, new in zip(rows, paths, strict=True) if row.path.lower() != new.lower()
    ]
    await _redirect(tx, moved)
    changed.categories += [row.category_id for row in rows]


async def _merge(
    tx: Tx, actor: Actor, source: CategoryRow, target: CategoryRow, changed: _Changed
) -> list[tuple[CategoryRow, CategoryRow]]:
    """Move what is right in the source into the target; returns the pairs of namesakes that are to be merged next."""
    await _take_out(tx, source.category_id, target.category_id)
    pairs = []
    namesakes = {row.name.lower(): row for row in await tx.all_as(CategoryRow, _children(target.category_id))}
    for child in await tx.all_as(CategoryRow, _children(source.category_id)):
        namesake = namesakes.get(child.name.lower())
        if namesake is None:
            await _move(tx, child, target.category_id, child.name, changed)
        else:
            pairs.append((child, namesake))
    products = [row[0] for row in await tx.all(_PRODUCTS, {"category_id": source.category_id})]
    if products:
        mine = any_(bindparam("products", type_=ARRAY(Uuid)))
        await keep_first_versions(tx, products)
        now = {"category_id": target.category_id, "version": Product.version + 1, "updated_at": func.now()}
        await tx.execute(update(Product).where(Product.product_id == mine).values(now), {"products": products})
        await keep_versions(tx, Change.by(actor), products)
    changed.products += products
    for column_ in (Category.merged_into, CategoryRedirect.category_id):
        earlier = update(column_.class_).where(column_ == source.category_id)
        await tx.execute(earlier.values({column_.key: target.category_id}))
    await _redirect(tx, [(source.path, target.category_id)])
    return pairs


def _children(category_id: UUID) -> Select[Any]:  # Any: the columns of a CategoryRow
    return select(*COLUMNS).where(Category.parent_category_id == category_id, IN_TREE).order_by(Category.path)


async def _take_out(tx: Tx, category_id: UUID, merged_into: UUID | None) -> None:
    """Raises: CategoryNotFound."""
    # FOR UPDATE waits for the foreign keys of products that are being saved; an update of these columns would not.
    held = select(Category.category_id).where(Category.category_id == category_id, IN_TREE).with_for_update()
    if await tx.first(held) is None:
        raise CategoryNotFound(UNKNOWN)
    gone = {"removed_at": func.now(), "merged_into": merged_into, "updated_at": func.now()}
    await tx.execute(update(Category).where(Category.category_id == category_id).values(gone))


async def _set_paths(tx: Tx, ids: Sequence[UUID], paths: Sequence[str], levels: Sequence[int]) -> None:
    new = func.unnest(
        bindparam("ids", list(ids), ARRAY(Uuid)),
        bindparam("paths", list(paths), ARRAY(String)),
        bindparam("levels", list(levels), ARRAY(Integer)),
    ).table_valued(column("category_id", Uuid), column("path", String), column("level", Integer), name="new")
    new = new.render_derived()
    values = {"path": new.c.path, "level": new.c.level, "updated_at": func.now()}
    await tx.execute(update(Category).where(Category.category_id == new.c.category_id).values(values))


async def _redirect(tx: Tx, moved: Sequence[tuple[str, UUID]]) -> None:
    """Let old paths lead to where their categories are now."""
    if not moved:
        return
    statement = upsert(CategoryRedirect).values([{"path": path.lower(), "category_id": to} for path, to in moved])
    now = {"category_id": statement.excluded.category_id, "created_at": func.now()}
    await tx.execute(statement.on_conflict_do_update(index_elements=["path"], set_=now))


async def _forget_redirects(tx: Tx, paths: Sequence[str]) -> None:
    """A path that a category has now leads to no other one, also when it is gone again."""
    taken = any_(bindparam("taken", type_=ARRAY(String)))
    lower = [path.lower() for path in paths]
    await tx.execute(delete(CategoryRedirect).where(CategoryRedirect.path == taken), {"taken": lower})


async def _tell(tx: Tx, category_id: UUID, changed: _Changed) -> None:
    """Name what is to be shown anew: all products of some categories, and single products."""
    categories = [str(one) for one in changed.categories]
    await outbox.emit(tx, "category", category_id, "CategoryChanged", {"categoryIds": categories, "productIds": []})
    for start in range(0, len(changed.products), NAMED_AT_ONCE):
        some = [str(one) for one in changed.products[start : start + NAMED_AT_ONCE]]
        await outbox.emit(tx, "category", category_id, "CategoryChanged", {"categoryIds": [], "productIds": some})
