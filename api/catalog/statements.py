"""The SQL of the catalog in statements of every noun: what is for sale, and what the variants cost that a shopper asks
for.

`tests/integration/api/test_round_trips.py` counts it: an addition to a cart is one round trip.
"""

from sqlalchemy import text

from api.kernel.gtin import RESTRICTED
from api.kernel.statement import Part

# A product that more sellers have is matched with the first of them.
MOST_MATCHES = 100


def live(product: str) -> str:
    """The condition that a row of `products`, by its name in the statement, is shown to buyers."""
    return f"{product}.status = 'active' AND {product}.deleted_at IS NULL"


def sellable(product: str, variant: str) -> str:
    """The condition that a variant is for sale, whether there are units of it or not: its product is live, and its
    seller has not removed it. Whoever shows, counts, offers or sells variants asks this."""
    return f"{live(product)} AND {variant}.removed_at IS NULL"


def shown(variant: str) -> str:
    """The condition that a variant that is for sale is one of those that its product is shown by: in lists, filters,
    facets and search, and for its price there. It is in stock, or nothing of its product is."""
    return f"""({variant}.stock_quantity > 0 OR NOT EXISTS (
        SELECT FROM product_variants s
        WHERE s.product_id = {variant}.product_id AND s.removed_at IS NULL AND s.stock_quantity > 0))"""


def article_of(product: str) -> str:
    """The article of a product, by its id: that of the lowest GTIN of its variants that is the same everywhere; without
    one its own id if an administrator has joined that with another article, and null otherwise.

    The article of a GTIN is its digits, so two products that have it need not know each other.
    """
    return f"""coalesce(
        (SELECT CAST(lpad(min(g.gtin), 32, '0') AS uuid) FROM product_variants g
         WHERE g.product_id = {product} AND g.removed_at IS NULL AND g.gtin !~ '{RESTRICTED}'),
        (SELECT j.article_id FROM joined_articles j WHERE j.article_id = {product}))"""  # noqa: S608 - a constant


def same_article(article: str) -> str:
    """The articles that are one with the article in a column, itself among them, as an array."""
    return f"""ARRAY(
        SELECT {article} UNION
        SELECT b.article_id FROM joined_articles a JOIN joined_articles b ON b.joined_id = a.joined_id
        WHERE a.article_id = {article})"""  # noqa: S608 - names of the shop's own statements


def titles(product: str) -> str:
    """The titles of a row of `products` in other languages than its own, as JSON by language; null where there are no
    translations."""
    return f"""CASE WHEN {product}.translations IS NOT NULL THEN (
        SELECT jsonb_object_agg(t.key, t.value -> 'title') FROM jsonb_each({product}.translations) t
        WHERE t.value -> 'title' IS NOT NULL) END"""  # noqa: S608 - a constant


_ON_SALE = f"""on_sale AS MATERIALIZED (
    SELECT a.place, v.price FROM asked a
    JOIN product_variants v ON v.variant_id = a.variant_id AND v.product_id = a.product_id
    JOIN products p ON p.product_id = v.product_id
    WHERE {sellable("p", "v")})"""  # noqa: S608 - a constant

# A variant of another product of the seller that has one of the SKUs, whatever its case, or one of the GTINs: what it
# has, and whether that is a GTIN. All are found before the first is chosen: to find that one alone, Postgres would
# rather read the seller's variants in the order of their ids.
NAMES_TAKEN = text(
    """
    WITH taken AS MATERIALIZED (
        SELECT variant_id, sku AS name, product_id, false AS is_gtin FROM product_variants
        WHERE seller_id = :seller_id AND removed_at IS NULL AND product_id <> :product_id
          AND lower(sku) = ANY(ARRAY(SELECT lower(asked) FROM unnest(CAST(:skus AS text[])) AS a(asked)))
        UNION ALL
        SELECT variant_id, gtin, product_id, true FROM product_variants
        WHERE seller_id = :seller_id AND removed_at IS NULL AND product_id <> :product_id
          AND gtin = ANY(CAST(:gtins AS text[])))
    SELECT name, product_id, is_gtin FROM taken ORDER BY is_gtin, variant_id LIMIT 1"""
)
RENAME_VARIANTS = text(
    "UPDATE product_variants SET sku = CAST(variant_id AS text), gtin = NULL"
    " WHERE variant_id = ANY(CAST(:ids AS uuid[]))"
)
CHANGE_VARIANTS = text(
    """
    UPDATE product_variants v
    SET sku = s.sku, gtin = s.gtin, attributes = CAST(s.attributes AS jsonb), own_price = s.own_price, price = s.price,
        updated_at = now()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:skus AS text[]), CAST(:gtins AS text[]), CAST(:attributes AS text[]),
                CAST(:own_prices AS numeric[]), CAST(:prices AS numeric[]))
         AS s(variant_id, sku, gtin, attributes, own_price, price)
    WHERE v.variant_id = s.variant_id"""
)

# Say what a product is, unless the seller has another one that is the same thing in the same condition, which is the
# result; other sellers' are queued, whatever their condition.
IDENTIFY = text(
    """
    WITH same AS MATERIALIZED (
        SELECT p.product_id, p.seller_id, p.condition = mine.condition AS alike
        FROM products p, (SELECT condition FROM products WHERE product_id = :product_id) mine
        WHERE p.identity = :identity AND p.deleted_at IS NULL AND p.product_id <> :product_id),
    identified AS (
        UPDATE products SET identity = :identity
        WHERE product_id = :product_id AND NOT EXISTS (SELECT FROM same WHERE seller_id = :seller_id AND alike)),
    queued AS (
        INSERT INTO offer_matches (product_id, other_product_id)
        SELECT :product_id, s.product_id FROM same s
        WHERE s.seller_id <> :seller_id AND NOT EXISTS (
            SELECT FROM offer_matches m WHERE m.product_id = s.product_id AND m.other_product_id = :product_id)
        ORDER BY s.product_id LIMIT :most
        ON CONFLICT DO NOTHING)
    SELECT product_id FROM same WHERE seller_id = :seller_id AND alike LIMIT 1"""
)


def on_sale_part() -> Part:
    """Today's price of those variants of an earlier part's CTE `asked` that are on sale and belong to their product."""
    return Part(_ON_SALE, makes=("on_sale",), needs=("asked",))
