"""A seller's products as a file, read page by page.

Each page is a statement of its own that reads whole products in the order of their ids: a slow reader holds neither
memory nor a connection nor an old state of the database, which a cursor would.
"""

from collections.abc import AsyncIterator

from api.bulk.files.columns import Column
from api.bulk.files.export import csv_rows, header_of, json_lines, written
from api.bulk.files.records import MAX_COLUMNS, Format
from api.catalog.commands.owned import OwnProduct, own_members, own_products_after
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.errors import FieldError, ValidationFailed

PRODUCTS_AT_ONCE = 200


async def pieces_of(ctx: Context, actor: Actor, form: Format) -> AsyncIterator[bytes]:
    """The file in pieces. Raises: ValidationFailed when CSV would have more columns than are taken back."""
    header = await _header(ctx, actor) if form == "csv" else []
    return _pieces(ctx, actor, header, form)


async def _header(ctx: Context, actor: Actor) -> list[Column]:
    async with ctx.db.read() as tx:
        header = header_of(*await own_members(tx, actor, MAX_COLUMNS))
    if len(header) > MAX_COLUMNS:
        message = f"your products have too many names of attributes for {MAX_COLUMNS:,} columns: ask for jsonl"
        errors = [FieldError(pointer="/query/format", message=message)]
        raise ValidationFailed("The products do not fit in a table.", errors=errors)
    return header


async def _pieces(ctx: Context, actor: Actor, header: list[Column], form: Format) -> AsyncIterator[bytes]:
    if form == "csv":
        yield written([[column.name for column in header]])
    after = None
    while True:
        async with ctx.db.read() as tx:
            products = await own_products_after(tx, actor, after, PRODUCTS_AT_ONCE)
        if products:
            yield _piece(products, header, form)
            after = products[-1].product_id
        if len(products) < PRODUCTS_AT_ONCE:
            return


def _piece(products: list[OwnProduct], header: list[Column], form: Format) -> bytes:
    if form == "jsonl":
        return b"".join(line for product in products for line in json_lines(product))
    return written(row for product in products for row in csv_rows(header, product))
