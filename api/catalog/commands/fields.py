"""Where each field of a product's body is stored.

Creating, replacing and changing a product read this table; a field that is not in it is an error in all three.
"""

from collections.abc import Set as AbstractSet
from typing import Any

from api.catalog.languages import schemas as languages
from api.catalog.restrictions.schemas import Restrictions
from api.catalog.schemas import ProductIn, ProductPatch

# Field -> column of `products`.
COLUMNS = {
    "title": "title",
    "description": "description",
    "brand": "brand",
    "price": "base_price",
    "list_price": "list_price",
    "status": "status",
    "prime_eligible": "prime_eligible",
    "tax_class": "tax_class",
    "weight_grams": "weight_grams",
    "condition": "condition",
    "restrictions": "restrictions",
    "kind": "kind",
    "specifications": "specifications",
    "language": "language",
    "translations": "translations",
}
# Field -> the function that stores it.
FUNCTIONS = {
    "category": "require_category",
    "variants": "save_variants",
    "images": "save_images",
}


def column_values(
    body: ProductIn | ProductPatch, fields: AbstractSet[str]
) -> dict[str, Any]:  # Any: values of several column types
    """Column -> value of those `fields` of `body` that are columns.

    Raises: LookupError for a field that is not in the table.
    """
    unplaced = fields - COLUMNS.keys() - FUNCTIONS.keys()
    if unplaced:
        raise LookupError(f"no column and no function stores {', '.join(sorted(unplaced))}")
    return {COLUMNS[name]: stored(name, getattr(body, name)) for name in sorted(fields & COLUMNS.keys())}


def stored(name: str, value: Any) -> Any:  # Any: as above
    """The value of a field as its column has it; translations as those of a product that had none."""
    if name == "translations":
        return languages.stored(value)
    return value.stored() if isinstance(value, Restrictions) else value
