"""Save what kits are made of, with the product that they are variants of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, any_, bindparam, delete, func, insert, or_, select

from api.catalog.commands.matching import VariantPlan
from api.catalog.kits.counting import count_kits
from api.catalog.kits.models import KitComponent
from api.catalog.models import Product, ProductVariant
from api.catalog.schemas import ComponentIn, Kind, VariantIn
from api.kernel.actor import Actor
from api.kernel.db import Tx
from api.kernel.errors import FieldError, ValidationFailed

_Entries = Mapping[UUID, tuple[int, VariantIn]]


_REMOVE = delete(KitComponent).where(KitComponent.variant_id == any_(bindparam("kits", type_=ARRAY(Uuid))))
# Variants that a kit may be made of, by id or by SKU, whatever its case: the seller's, and not removed.
_SKU = func.lower(ProductVariant.sku)
_NAMED = (
    select(ProductVariant.variant_id, _SKU.label("sku"), Product.kind)
    .join(Product, Product.product_id == ProductVariant.product_id)
    .where(
        ProductVariant.seller_id == bindparam("seller_id", type_=Uuid),
        ProductVariant.removed_at.is_(None),
        Product.deleted_at.is_(None),
        or_(
            ProductVariant.variant_id == any_(bindparam("ids", type_=ARRAY(Uuid))),
            any_(bindparam("skus", type_=ARRAY(Text))) == _SKU,
        ),
    )
)


@dataclass(frozen=True, slots=True)
class _Known:
    variant_id: UUID
    sku: str
    kind: Kind


async def save_components(
    tx: Tx, actor: Actor, product_id: UUID, kind: Kind, plan: VariantPlan, *, whole: bool
) -> None:
    """Save what the variants of a kit are made of, after the variants themselves; `whole`: as PUT and POST mean it.

    Raises: ValidationFailed, which names what cannot be a component, a variant of a kit without components or with a
    stock of its own, and components of what is no kit.
    """
    errors = _misplaced(kind, plan.entries)
    made = {variant.variant_id for variant in plan.made}
    named: dict[UUID, tuple[int, Sequence[ComponentIn]]] = {}
    if kind == "kit":
        for variant_id, (place, entry) in plan.entries.items():
            if entry.components is not None:
                named[variant_id] = place, entry.components
            elif whole or variant_id in made or "components" in entry.model_fields_set:
                message = "a kit is made of 2 to 20 variants: name them"
                errors.append(FieldError(pointer=f"/variants/{place}/components", message=message))
    found = await _named(tx, actor, [one for _, components in named.values() for one in components])
    rows = [row for variant_id, one in named.items() for row in _rows(variant_id, one, found, errors)]
    if errors:
        raise ValidationFailed("What the kit is made of cannot be saved.", errors=errors)
    if named:
        await tx.execute(_REMOVE, {"kits": list(named)})
        await tx.execute(insert(KitComponent).values(rows))
        await count_kits(tx, [product_id])


def _misplaced(kind: Kind, entries: _Entries) -> list[FieldError]:
    """What only a kit has, or only another product."""
    errors = []
    for place, entry in entries.values():
        at = f"/variants/{place}"
        if kind != "kit" and entry.components is not None:
            errors.append(FieldError(pointer=f"{at}/components", message="only a product of the kind kit has them"))
        if kind == "kit":
            errors += [
                FieldError(pointer=f"{at}/{name}", message="a kit has the stock of its components: change that")
                for name, value in (("stock", entry.stock), ("stockChange", entry.stock_change))
                if value is not None
            ]
    return errors


async def _named(tx: Tx, actor: Actor, components: Iterable[ComponentIn]) -> dict[UUID | str, _Known]:
    """The actor's variants that are named, by id and by SKU."""
    asked = [*components]
    if not asked:
        return {}
    values = {
        "seller_id": actor.user_id,
        "ids": [one.variant_id for one in asked if one.variant_id is not None],
        "skus": [one.sku.lower() for one in asked if one.sku is not None],
    }
    known = await tx.all_as(_Known, _NAMED, values)
    return {one.variant_id: one for one in known} | {one.sku: one for one in known}


def _rows(
    kit: UUID,
    named: tuple[int, Sequence[ComponentIn]],
    found: Mapping[UUID | str, _Known],
    errors: list[FieldError],
) -> list[dict[str, object]]:
    """The rows of a kit's variant; adds to `errors` what is wrong with what it names."""
    place, components = named
    rows: dict[UUID, dict[str, object]] = {}
    for position, one in enumerate(components):
        pointer = f"/variants/{place}/components/{position}"
        field = f"{pointer}/{'sku' if one.variant_id is None else 'variantId'}"
        known = found.get(one.sku.lower() if one.sku is not None else one.variant_id or "")
        if known is None:
            errors.append(FieldError(pointer=field, message="you sell no such variant"))
        elif known.kind == "kit":
            errors.append(FieldError(pointer=field, message="is a kit itself"))
        elif known.variant_id in rows:
            first = rows[known.variant_id]["position"]
            message = f"names the same variant as /variants/{place}/components/{first}: add the units there"
            errors.append(FieldError(pointer=field, message=message))
        else:
            rows[known.variant_id] = {
                "variant_id": kit,
                "component_id": known.variant_id,
                "units": one.units,
                "position": position,
            }
    return [*rows.values()]
