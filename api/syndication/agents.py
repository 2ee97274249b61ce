"""The product feed of the Agentic Commerce Protocol, version 2026-04-17: a full snapshot for agents that sell.

`products.jsonl` has a line for each product with a variant on sale, and in it each of those variants, whose id is what
the protocol's checkout takes; `metadata.json` says whose feed it is, for which market, and when it changed.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from api.catalog.artwork import artwork_path
from api.catalog.queries.syndicated import ProductOnSale
from api.kernel.money import minor_units
from api.syndication.items import link_of

FEED_ID = "souk"
MARKETPLACE = {"name": "Souk"}
Json = Mapping[str, object]
# Any, in this module: the JSON of a variant


def feed_line(product: ProductOnSale, store: str, address: str) -> bytes:
    """The product as a line of `products.jsonl`; `store`: its seller's name, `address` of the shop."""
    return orjson.dumps(product_of(product, store, address), option=orjson.OPT_APPEND_NEWLINE)


def metadata_of(country: str, changed: datetime) -> bytes:
    """`country` by its ISO 3166 code; `changed`: when the feed last got another content."""
    return orjson.dumps({"id": FEED_ID, "target_country": country, "updated_at": changed}, option=orjson.OPT_UTC_Z)


def product_of(product: ProductOnSale, store: str, address: str) -> Json:
    link = link_of(product.product_id, address)
    facts = {
        "id": str(product.product_id),
        "title": product.title,
        "url": link,
        "media": [
            {"type": "image", "url": f"{address}{url}" if url.startswith("/") else url}
            for url in product.images or [artwork_path(product.product_id)]
        ],
        "variants": [_variant(product, variant, store, link) for variant in product.variants],
    }
    return {**facts, "description": {"plain": product.description}} if product.description else facts


def variant_title(product: str, attributes: Mapping[str, object]) -> str:
    """The title of one variant: that of the product with its options."""
    options = " / ".join(map(str, attributes.values()))
    return f"{product} - {options}" if options else product


def options_of(attributes: Mapping[str, object]) -> list[Json]:
    return [{"name": name, "value": str(value)} for name, value in attributes.items()]


def _variant(product: ProductOnSale, variant: Mapping[str, Any], store: str, link: str) -> Json:
    attributes, price = variant["attributes"], Decimal(variant["price"])
    facts: dict[str, object] = {
        "id": variant["id"],
        "title": variant_title(product.title, attributes),
        "url": link,
        "price": _price(price, product.currency),
        "availability": _availability(variant),
        "categories": [{"value": product.category_path.strip("/").replace("/", " > "), "taxonomy": "merchant"}],
        "condition": [product.condition],
        "seller": {"name": store},
        "marketplace": MARKETPLACE,
    }
    if product.list_price is not None and product.list_price > price:
        facts["list_price"] = _price(product.list_price, product.currency)
    if variant["gtin"]:
        facts["barcodes"] = [{"type": "GTIN", "value": variant["gtin"]}]
    if attributes:
        facts["variant_options"] = options_of(attributes)
    return facts


def _price(amount: Decimal, currency: str) -> Json:
    return {"amount": minor_units(amount), "currency": currency}


def _availability(variant: Mapping[str, Any]) -> Json:
    if variant["stock"]:
        return {"available": True, "status": "in_stock"}
    owed = bool(variant["backordered"])
    return {"available": owed, "status": "backorder" if owed else "out_of_stock"}
