"""What a save of a product makes of its variants: which of them an entry names, and what each is afterwards.

An entry names a variant by `variantId`, else by its SKU, else by equal attributes; one that names none is new. PUT
gives every variant, and whatever it leaves out has its default, but a SKU and a count of stock, which stay as they are;
the variants that it does not name are removed. PATCH changes the fields that were sent, of the variants that it names.
"""

import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from uuid import UUID

from api.catalog.schemas import Kind, ProductIn, ProductPatch, VariantIn
from api.kernel.errors import FieldError, ValidationFailed
from api.kernel.ids import new_id

Attributes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SavedVariant:
    """A variant that is not removed. `own_price` None: it follows its product's price."""

    variant_id: UUID
    sku: str
    attributes: Attributes
    own_price: Decimal | None
    price: Decimal
    # That can be sold, before the save.
    units: int = 0
    gtin: str | None = None

    def costing(self, product_price: Decimal) -> "SavedVariant":
        """The variant at its effective price."""
        return replace(self, price=product_price if self.own_price is None else self.own_price)


@dataclass(frozen=True, slots=True)
class VariantPlan:
    """What a save does: `made`, `changed` and `removed` variants, and by variant the units that it is to have (`stock`)
    or to get and lose (`changes`). The prices are effective ones."""

    made: list[SavedVariant] = field(default_factory=list)
    changed: list[SavedVariant] = field(default_factory=list)
    removed: list[UUID] = field(default_factory=list)
    stock: dict[UUID, int] = field(default_factory=dict)
    changes: dict[UUID, int] = field(default_factory=dict)
    # Those of the changed ones that get another SKU or GTIN.
    renamed: list[UUID] = field(default_factory=list)
    # The attributes of all that there are after it.
    options: list[Attributes] = field(default_factory=list)
    # The entries by the variants that they name or make, each with its place in the body.
    entries: dict[UUID, tuple[int, VariantIn]] = field(default_factory=dict)


def plan_of(
    before: Sequence[SavedVariant], entries: Sequence[VariantIn], price: Decimal, *, whole: bool
) -> VariantPlan:
    """`before`: the product's variants. `price`: the product's, after the save. `whole`: as PUT and POST mean it.

    Raises: ValidationFailed, for an entry that names a variant which the product does not have or which another entry
    names, and for two variants with one SKU, one GTIN or equal attributes.
    """
    if whole and not entries:
        entries = [VariantIn()]
    known = {variant.variant_id: variant for variant in before}
    named = _named(before, entries, whole=whole)
    plan = VariantPlan()
    places: dict[UUID, int] = {}
    after: dict[UUID, SavedVariant] = {} if whole else dict(known)
    for place, (entry, old) in enumerate(zip(entries, named, strict=True)):
        new = _saved(entry, known.get(old) if old else None, whole=whole)
        after[new.variant_id] = new
        places[new.variant_id] = place
        plan.entries[new.variant_id] = (place, entry)
        if entry.stock is not None:
            plan.stock[new.variant_id] = entry.stock
        if entry.stock_change is not None:
            plan.changes[new.variant_id] = entry.stock_change
    _require_different(list(after.values()), places)
    plan.options.extend(variant.attributes for variant in after.values())
    for variant in after.values():
        new = variant.costing(price)
        if new.variant_id not in known:
            plan.made.append(new)
        elif new != known[new.variant_id]:
            plan.changed.append(new)
            if (new.sku, new.gtin) != (known[new.variant_id].sku, known[new.variant_id].gtin):
                plan.renamed.append(new.variant_id)
    plan.removed.extend(variant_id for variant_id in known if variant_id not in after)
    return plan


def same_sku(sku: str) -> str:
    """Equal for SKUs that are one."""
    return sku.lower()


def same_attributes(attributes: Attributes) -> frozenset[tuple[str, str]]:
    """Equal for attributes that a reader cannot tell apart: by letter case, width or spaces."""
    return frozenset((_folded(name), _folded(str(value))) for name, value in attributes.items())


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _named(before: Sequence[SavedVariant], entries: Sequence[VariantIn], *, whole: bool) -> list[UUID | None]:
    """The variant that each entry names; None for a new one. What is named outright is no other entry's."""
    ids = {variant.variant_id for variant in before}
    skus = {same_sku(variant.sku): variant.variant_id for variant in before}
    named: list[UUID | None] = []
    claimed: dict[UUID, int] = {}
    for place, entry in enumerate(entries):
        found = entry.variant_id
        if found is not None and found not in ids:
            raise _refused(f"/variants/{place}/variantId", "is no variant of this product")
        if found is None and entry.sku is not None:
            found = skus.get(same_sku(entry.sku))
        if found is not None and claimed.setdefault(found, place) != place:
            raise _refused(f"/variants/{place}", f"names the same variant as /variants/{claimed[found]}")
        named.append(found)
    alike = {same_attributes(one.attributes): one.variant_id for one in before if one.variant_id not in claimed}
    for place, entry in enumerate(entries):
        if named[place] is None and (whole or "attributes" in entry.model_fields_set):
            named[place] = alike.pop(same_attributes(entry.attributes), None)
    return named


def _saved(entry: VariantIn, old: SavedVariant | None, *, whole: bool) -> SavedVariant:
    """The variant as the entry makes it; its price is not computed yet."""
    sent = entry.model_fields_set
    if old is None:
        sku = entry.sku or f"SK-{secrets.token_hex(6).upper()}"
        return SavedVariant(new_id(), sku, entry.attributes, entry.price, Decimal(0), gtin=entry.gtin)
    return replace(
        old,
        sku=entry.sku or old.sku,
        attributes=entry.attributes if whole or "attributes" in sent else old.attributes,
        own_price=entry.price if whole or "price" in sent else old.own_price,
        gtin=entry.gtin if whole or "gtin" in sent else old.gtin,
    )


def _require_different(variants: Sequence[SavedVariant], places: Mapping[UUID, int]) -> None:
    """`places`: of the entries in the body. The variants that it does not name come first: the entry is wrong."""
    skus: dict[str, UUID] = {}
    gtins: dict[str, UUID] = {}
    options: dict[frozenset[tuple[str, str]], UUID] = {}
    for variant in sorted(variants, key=lambda one: places.get(one.variant_id, -1)):
        place = places.get(variant.variant_id)
        if skus.setdefault(same_sku(variant.sku), variant.variant_id) != variant.variant_id:
            raise _refused(f"/variants/{place}/sku", "another variant of the product has this SKU")
        if variant.gtin and gtins.setdefault(variant.gtin, variant.variant_id) != variant.variant_id:
            raise _refused(f"/variants/{place}/gtin", "another variant of the product has this GTIN")
        alike = options.setdefault(same_attributes(variant.attributes), variant.variant_id)
        if alike != variant.variant_id and place is not None:
            message = "another variant of the product has equal attributes; say what is different"
            raise _refused(f"/variants/{place}/attributes", message)


def _refused(pointer: str, message: str) -> ValidationFailed:
    return ValidationFailed("The variants cannot be saved.", errors=[FieldError(pointer=pointer, message=message)])


def require_no_stock(kind: Kind, before: Sequence[SavedVariant], plan: VariantPlan) -> None:
    """The stock of a digital product is the number of its licence keys: a save may say it, and not change it.

    Raises: ValidationFailed.
    """
    if kind != "digital":
        return
    there = {variant.variant_id: variant.units for variant in before}
    changed = {variant: units - there.get(variant, 0) for variant, units in plan.stock.items()} | plan.changes
    for variant, units in changed.items():
        if units:
            name = "stock" if variant in plan.stock else "stockChange"
            pointer = f"/variants/{plan.entries[variant][0]}/{name}"
            raise _refused(pointer, "its stock is the number of its keys: add keys")


def judged(
    before: Sequence[SavedVariant], plan: VariantPlan, body: ProductIn | ProductPatch
) -> tuple[list[Attributes], list[Attributes]]:
    """The attributes of the variants that the product has after the plan, and of those that the request names."""
    gone = {*plan.removed, *(variant.variant_id for variant in plan.changed)}
    after = [*(variant for variant in before if variant.variant_id not in gone), *plan.changed, *plan.made]
    return [variant.attributes for variant in after], [entry.attributes for entry in body.variants]
