"""Items of a product feed: one for each variant on sale, in the words of the common shopping feeds.

The names are those of RSS 2.0 with the namespace http://base.google.com/ns/1.0, which CSV has without the prefix.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from uuid import UUID
from xml.sax.saxutils import escape

from api.catalog.artwork import drawn_path
from api.catalog.artwork.drawing import Subject
from api.catalog.purchase import Occasion, Wanted, priced_alone
from api.catalog.queries.syndicated import ProductOnSale

NAMESPACE = "http://base.google.com/ns/1.0"
FIELDS = (
    "id", "item_group_id", "title", "description", "link", "image_link", "additional_image_link", "availability",
    "price", "sale_price", "brand", "gtin", "mpn", "identifier_exists", "condition", "product_type", "color", "size",
    "material", "shipping", "shipping_weight",
)  # fmt: skip
MAX_TITLE, MAX_DESCRIPTION, MAX_IMAGES = 150, 5_000, 10
# What XML 1.0 has no way to write.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Item = Mapping[str, str]


def items_of(product: ProductOnSale, occasion: Occasion, address: str) -> Iterator[Item]:
    """The items of a product; `address` of the shop, and the occasion is that of its own market."""
    # The feeds' readers take no SVG.
    drawn = drawn_path(product.product_id, Subject(product.title, product.category_path))
    images = [_absolute(url, address) for url in product.images or [drawn]]
    several = len(product.variants) > 1
    for variant in product.variants:
        attributes = {name.lower(): str(value) for name, value in variant["attributes"].items()}
        price = Decimal(variant["price"])
        full = product.list_price if product.list_price is not None and product.list_price > price else price
        options = ", ".join(str(value) for value in variant["attributes"].values()) if several else ""
        title = f"{product.title} ({options})" if options else product.title
        yield {
            "id": variant["id"],
            "item_group_id": str(product.product_id) if several else "",
            "title": title[:MAX_TITLE],
            "description": (product.description or product.title)[:MAX_DESCRIPTION],
            "link": link_of(product.product_id, address),
            "image_link": images[0],
            "additional_image_link": ",".join(images[1 : MAX_IMAGES + 1]),
            "availability": "in_stock" if variant["stock"] > 0 else "out_of_stock",
            "price": _money(full, product.currency),
            "sale_price": _money(price, product.currency) if full > price else "",
            "brand": product.brand or "",
            "gtin": variant["gtin"] or "",
            "mpn": variant["sku"],
            "identifier_exists": "yes" if product.brand or variant["gtin"] else "no",
            "condition": product.condition.partition("_")[0],
            "product_type": product.category_path.strip("/").replace("/", " > "),
            "color": attributes.get("color", attributes.get("colour", "")),
            "size": attributes.get("size", ""),
            "material": attributes.get("material", ""),
            "shipping": _shipping(product, variant["id"], price, occasion),
            "shipping_weight": f"{product.weight_grams} g" if product.weight_grams else "",
        }


def link_of(product_id: UUID, address: str) -> str:
    return f"{address}/api/v1/products/{product_id}"


def xml_head(address: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<rss version="2.0" xmlns:g="{NAMESPACE}">\n<channel>\n<title>Souk</title>\n<link>{_text(address)}</link>\n'
        "<description>Everything on sale</description>\n"
    ).encode()


XML_END = b"</channel>\n</rss>\n"


def xml_item(item: Item) -> bytes:
    """An `item` element; what is empty is left out."""
    parts = [f"<g:{name}>{_text(value)}</g:{name}>" for name, value in _elements(item)]
    country, _, service, fee = item["shipping"].split(":")
    sent = f"<g:country>{country}</g:country><g:service>{service}</g:service><g:price>{fee}</g:price>"
    return f"<item>{''.join(parts)}<g:shipping>{sent}</g:shipping></item>\n".encode()


def csv_lines(items: Iterable[Iterable[str]]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(items)
    return file.getvalue().encode()


def csv_safe(text: str) -> str:
    """A text that begins like a formula is behind an apostrophe, because people open feeds in spreadsheets."""
    return "'" + text if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def _elements(item: Item) -> Iterator[tuple[str, str]]:
    for name in FIELDS:
        if name == "additional_image_link":
            yield from ((name, url) for url in item[name].split(",") if url)
        elif name != "shipping" and item[name]:
            yield name, item[name]


def _text(value: str) -> str:
    return escape(_UNWRITABLE.sub("", value))


def _absolute(url: str, address: str) -> str:
    return f"{address}{url}" if url.startswith("/") else url


def _money(amount: Decimal, currency: str) -> str:
    return f"{amount:.2f} {currency}"


def _shipping(product: ProductOnSale, variant_id: str, price: Decimal, occasion: Occasion) -> str:
    """COUNTRY::Standard:FEE CURRENCY, as CSV feeds write it; the fee of one unit in the shop's own market."""
    grams, digital = product.weight_grams or 0, product.kind == "digital"
    wanted = Wanted(
        UUID(variant_id), 1, price, product.tax_class, grams, product.prime_eligible, (), {}, digital=digital
    )
    fee = priced_alone([wanted], occasion).totals.shipping
    return f"{occasion.place.country}::Standard:{_money(fee, product.currency)}"
