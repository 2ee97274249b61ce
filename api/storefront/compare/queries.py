"""Products side by side: the attributes of all of them, each in one row and one unit."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from api.catalog.attributes.queries import definitions_of
from api.catalog.attributes.side_by_side import Described, cards_on_sale, described
from api.catalog.attributes.values import Definition, normal
from api.catalog.errors import ProductNotFound
from api.kernel.db import ReadTx
from api.kernel.languages import Reader
from api.storefront.compare.schemas import ComparedAttribute, Comparison


async def compare(tx: ReadTx, product_ids: Sequence[UUID], reader: Reader) -> Comparison:
    """Raises: ProductNotFound, which names those that are not on sale."""
    cards = await cards_on_sale(tx, product_ids, reader)
    missing = [str(one) for one in product_ids if one not in cards]
    if missing:
        raise ProductNotFound(f"Not on sale: {', '.join(missing)}.", extra={"productIds": missing})
    found = await described(tx, product_ids)
    products = [found[one] for one in product_ids]
    definitions: dict[str, Definition] = {}
    for category in dict.fromkeys(one.category_id for one in products):
        for definition in await definitions_of(tx, category):
            definitions.setdefault(definition.key, definition)
    return Comparison(products=[cards[one] for one in product_ids], attributes=_rows(products, definitions, reader))


def _rows(
    products: Sequence[Described], definitions: Mapping[str, Definition], reader: Reader
) -> list[ComparedAttribute]:
    values = [_values(product, definitions) for product in products]
    names = {key: name for product in values for key, (name, _) in product.items()}
    others = sorted(key for key in names if key not in definitions)
    rows = []
    for key in [*(key for key in definitions if key in names), *others]:
        definition = definitions.get(key)
        said = [product[key][1] if key in product else None for product in values]
        rows.append(
            ComparedAttribute(
                name=definition.name if definition else names[key],
                label=definition.shown(reader)[0] if definition else names[key],
                unit=definition.unit if definition else None,
                values=said,
                same=len(set(said)) == 1,
            )
        )
    return rows


def _values(product: Described, definitions: Mapping[str, Definition]) -> dict[str, tuple[str, str]]:
    """By key: the name as the product writes it, and its different values in their order."""
    said: dict[str, tuple[str, dict[str, None]]] = {}
    for source in (product.specifications, *product.variants):
        for name, value in source.items():
            key = name.casefold()
            _, shown = said.setdefault(key, (name, {}))
            shown.update(dict.fromkeys(_shown(definitions.get(key), value)))
    return {key: (name, ", ".join(shown)) for key, (name, shown) in said.items()}


def _shown(definition: Definition | None, value: object) -> Iterable[str]:
    """A value in the definition's own form; as it is where that is another, or there is no definition."""
    for part in value if isinstance(value, list) else [value]:
        written = normal(definition, part) if definition is not None else None
        yield written if written is not None else str(part).lower() if isinstance(part, bool) else str(part)
