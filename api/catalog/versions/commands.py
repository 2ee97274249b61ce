"""Restore a version of one's own product."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.catalog.commands.change import lock_own, save
from api.catalog.commands.identity import saved
from api.catalog.commands.images import Named, Said, Wanted, named
from api.catalog.commands.keeping import Change
from api.catalog.commands.matching import SavedVariant
from api.catalog.commands.variants import living_variants
from api.catalog.pages import product_tag
from api.catalog.safety.commands import write_safety
from api.catalog.schemas import ProductIn
from api.catalog.versions.errors import VersionNotFound
from api.catalog.versions.queries import Kept, version_of
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.etags import Expected
from api.kernel.feeds import announce_soon
from api.kernel.settings import Settings
from api.media.commands import Taken
from api.media.queries import held_names


@dataclass(frozen=True, slots=True)
class Restored:
    """`changed`: the product was not the same already. `missing`: addresses of pictures that are kept no longer."""

    changed: bool
    missing: list[str]


class _SameAlready(Exception):
    """What was saved equals the newest version, so the save is undone."""

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing


async def restore_version(
    ctx: Context, actor: Actor, product_id: UUID, version: int, expected: Expected | None
) -> Restored:
    """Save what the product was as its newest version; what was rejected comes back as a draft. Its safety data and
    what was said of its pictures come back, and pictures that are kept no longer are left out. Variants that were
    removed since are made anew, without stock; no stock changes.

    Raises: VersionNotFound; and as replace_product, for what is wrong today.
    """
    try:
        missing = await saved(ctx, lambda tx: _restore(tx, ctx, actor, product_id, version, expected=expected))
    except _SameAlready as same:
        return Restored(False, same.missing)
    await announce_soon(ctx.redis, (product_tag(product_id),))
    return Restored(True, missing)


async def _restore(
    tx: Tx, ctx: Context, actor: Actor, product_id: UUID, version: int, *, expected: Expected | None
) -> list[str]:
    current = await lock_own(tx, actor, product_id, expected)
    found = await version_of(tx, actor, product_id, version) if current.has_versions else None
    if found is None:
        raise VersionNotFound("The product has no version with this number.")
    kept = found[0]
    variants = _found_again(kept.body.get("variants", []), await living_variants(tx, product_id))
    saved_as = {"status": "draft"} if kept.body.get("status") == "rejected" else {}
    body = _body({**kept.body, **saved_as, "variants": variants})
    images, missing = await _still_there(tx, ctx.settings, body.images)
    if kept.safety is not None:
        await write_safety(tx, product_id, kept.safety)
    new = await save(
        tx,
        ctx,
        actor,
        product_id,
        body,
        images=images,
        fields=frozenset(ProductIn.model_fields),
        expected=None,
        change=Change.by(actor, "restored", restored_from=version),
        said=_said(kept),
    )
    if not new:
        raise _SameAlready(missing)
    return missing


def _found_again(
    variants: Sequence[Mapping[str, Any]], living: Sequence[SavedVariant]
) -> list[dict[str, Any]]:  # Any: JSON
    """The version's variants, each under its id if it is there today, else as its SKU and attributes find it."""
    ids = {str(one.variant_id) for one in living}
    return [
        {name: value for name, value in variant.items() if name != "variantId" or value in ids} for variant in variants
    ]


def _body(kept: Mapping[str, Any]) -> ProductIn:  # Any: JSON
    try:
        return ProductIn.model_validate(kept)
    except ValidationError as error:
        # It was right when it was kept; the rules have changed since.
        wrong = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
        raise RequestValidationError(wrong, body=kept) from None


async def _still_there(tx: Tx, settings: Settings, images: Sequence[str]) -> tuple[list[Named], list[str]]:
    """The pictures that are kept, which nobody collects before the transaction has ended, and the addresses of the
    others."""
    known = {url: one for url in images for one in named([url], settings)}
    digests = [one.name[:32] for one in known.values() if isinstance(one, Taken)]
    held = set((await held_names(tx, digests)).values()) if digests else set()
    there = {url: one for url, one in known.items() if isinstance(one, Wanted) or one.name in held}
    return list(there.values()), [url for url in known if url not in there]


def _said(kept: Kept) -> dict[str, Said]:
    """What the version says of its pictures, by their addresses."""
    skus = {variant["variantId"]: str(variant["sku"]) for variant in kept.body.get("variants", [])}
    return {one["url"]: Said(one["alt"], skus.get(one["variantId"])) for one in kept.media}
