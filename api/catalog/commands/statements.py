"""The SQL that keeps the versions of products, what variants cost, and what article a product is (`keeping.py`). What a
version says of a product is defined here, and asked by the invariants too.

What has its default is left out, as PUT may leave it out: a field that is added to products later changes no version
that was kept before.
"""

import json
from collections.abc import Mapping

from pydantic import BaseModel
from sqlalchemy import text

from api.catalog.commands.fields import COLUMNS
from api.catalog.offers.events import LEFT
from api.catalog.schemas import ProductIn, VariantIn
from api.catalog.statements import MOST_MATCHES, article_of
from api.kernel.gtin import RESTRICTED
from api.kernel.outbox import next_events

# What a version says of a row `v` of product_variants, by the field of a VariantIn. Stock is not in it: a restored
# version sets none.
VARIANT_VALUES = {
    "variant_id": "v.variant_id",
    "sku": "v.sku",
    "gtin": "v.gtin",
    "attributes": "v.attributes",
    "price": "v.own_price",
    "components": """(
        SELECT jsonb_agg(jsonb_build_object('variantId', k.component_id, 'units', k.units) ORDER BY k.position)
        FROM kit_components k WHERE k.variant_id = v.variant_id)""",
}


def defaults(model: type[BaseModel]) -> dict[str, object]:
    """The fields that need not be sent, by their names on the wire, with the JSON that they are then."""
    return {
        str(field.alias): field.get_default(call_default_factory=True)
        for field in model.model_fields.values()
        if not field.is_required()
    }


def _object(model: type[BaseModel], values: Mapping[str, str]) -> str:
    """The JSON of a model whose fields have these values, but for those at their defaults."""
    pairs = ", ".join(f"'{model.model_fields[name].alias}', {value}" for name, value in values.items())
    # With spaces, because a colon before a word is a bind.
    left_out = json.dumps(defaults(model))
    return f"""(
        SELECT coalesce(jsonb_object_agg(f.key, f.value), '{{}}') FROM jsonb_each(jsonb_build_object({pairs})) f
        WHERE f.value IS DISTINCT FROM CAST('{left_out}' AS jsonb) -> f.key)"""  # noqa: S608 - names of the schemas


# Also those that are not fetched yet, by the addresses that PUT takes too.
_IMAGES = """(
    SELECT url, alt, variant_id, position FROM product_images WHERE product_id = p.product_id
    UNION ALL
    SELECT source, alt, variant_id, position FROM awaited_images WHERE product_id = p.product_id)"""
_VARIANT = _object(VariantIn, VARIANT_VALUES)
_BODY = _object(
    ProductIn,
    {name: f"p.{stored}" for name, stored in COLUMNS.items()}
    | {
        "category": "p.category_id",
        "variants": f"""(
            SELECT coalesce(jsonb_agg({_VARIANT} ORDER BY v.variant_id), '[]') FROM product_variants v
            WHERE v.product_id = p.product_id AND v.removed_at IS NULL)""",  # noqa: S608 - a constant
        "images": f"""(
            SELECT coalesce(jsonb_agg(i.url ORDER BY i.position), '[]') FROM {_IMAGES} i)""",  # noqa: S608 - a constant
    },
)
_MEDIA = f"""(
    SELECT coalesce(jsonb_agg(jsonb_build_object('url', i.url, 'alt', i.alt, 'variantId', i.variant_id)
                              ORDER BY i.position), '[]')
    FROM {_IMAGES} i WHERE i.alt IS NOT NULL OR i.variant_id IS NOT NULL)"""  # noqa: S608 - a constant
_SAFETY = "coalesce((SELECT s.data FROM product_safety s WHERE s.product_id = p.product_id), '{}')"
# What a version says of the rows `p` of `products`.
STATE = f"p.product_id, p.version, p.updated_at, {_BODY} AS body, {_MEDIA} AS media, {_SAFETY} AS safety"

_COLUMNS = "product_id, version, at, author_kind, author_id, action, restored_from, fields, body, media, safety"
# The time is that at which the locks are held, so that later versions have later times.
KEEP_VERSIONS = text(
    f"""
    WITH state AS MATERIALIZED (
        SELECT {STATE} FROM products p WHERE p.product_id = ANY(CAST(:product_ids AS uuid[]))),
    compared AS (
        SELECT s.*, l.version IS NULL AS is_first, ARRAY(
            SELECT key FROM jsonb_each(s.body || jsonb_build_object('media', s.media, 'safety', s.safety)) now
            FULL JOIN jsonb_each(
                l.body || jsonb_build_object('media', l.media, 'safety', coalesce(l.safety, s.safety))
            ) before USING (key)
            WHERE now.value IS DISTINCT FROM before.value ORDER BY key) AS fields
        FROM state s LEFT JOIN LATERAL (
            SELECT version, body, media, safety FROM product_versions
            WHERE product_id = s.product_id ORDER BY version DESC LIMIT 1) l ON true),
    priced AS MATERIALIZED (
        SELECT v.variant_id, v.price, l.price AS before,
               greatest(clock_timestamp(), l.at + interval '1 microsecond') AS at
        FROM product_variants v LEFT JOIN LATERAL (
            SELECT at, price FROM price_changes WHERE variant_id = v.variant_id ORDER BY at DESC LIMIT 1) l ON true
        WHERE v.product_id = ANY(CAST(:product_ids AS uuid[])) AND v.removed_at IS NULL
          AND v.price IS DISTINCT FROM l.price),
    noted AS (
        INSERT INTO price_changes (variant_id, at, price) SELECT variant_id, at, price FROM priced),
    reduced AS (
        UPDATE product_variants v SET lowest_price_30d = (
            SELECT min(c.price) FROM price_changes c
            WHERE c.variant_id = p.variant_id AND c.at >= coalesce(
                (SELECT max(s.at) FROM price_changes s
                 WHERE s.variant_id = p.variant_id AND s.at <= p.at - interval '30 days'), '-infinity'))
        FROM priced p WHERE v.variant_id = p.variant_id AND p.price < p.before),
    known AS MATERIALIZED (
        SELECT p.product_id, p.article_id AS before, {article_of("p.product_id")} AS article_id
        FROM products p WHERE p.product_id = ANY(CAST(:product_ids AS uuid[]))),
    placed AS (
        UPDATE products p SET article_id = k.article_id FROM known k
        WHERE p.product_id = k.product_id AND k.before IS DISTINCT FROM k.article_id),
    leaving AS (
        SELECT 'product' AS aggregate_type, k.product_id AS aggregate_id, '{LEFT}' AS event_type,
               jsonb_build_object('articleIds', jsonb_build_array(k.before)) AS payload
        FROM known k WHERE k.before <> k.article_id OR (k.before IS NOT NULL AND k.article_id IS NULL)),
    {next_events("leaving", "told")},
    matched AS (
        INSERT INTO offer_matches (product_id, other_product_id)
        SELECT DISTINCT k.product_id, q.product_id
        FROM known k
        JOIN product_variants v ON v.product_id = k.product_id AND v.removed_at IS NULL AND v.gtin !~ '{RESTRICTED}'
        JOIN product_variants w ON w.gtin = v.gtin AND w.removed_at IS NULL AND w.seller_id <> v.seller_id
        JOIN products q ON q.product_id = w.product_id AND q.article_id <> k.article_id
        WHERE NOT EXISTS (
            SELECT FROM offer_matches m WHERE m.product_id = q.product_id AND m.other_product_id = k.product_id)
        ORDER BY q.product_id LIMIT {MOST_MATCHES}
        ON CONFLICT DO NOTHING)
    INSERT INTO product_versions ({_COLUMNS})
    SELECT product_id, version, clock_timestamp(), :author_kind, CAST(:author_id AS uuid), :action,
           CAST(:restored_from AS integer), CASE WHEN is_first THEN '{{}}' ELSE fields END, body, media, safety
    FROM compared WHERE is_first OR fields <> '{{}}'
    RETURNING product_id"""  # noqa: S608 - constants
)
KEEP_FIRST_VERSIONS = text(
    f"""
    WITH kept AS (
        INSERT INTO product_versions ({_COLUMNS})
        SELECT product_id, version, updated_at, 'service', NULL, 'known', NULL, '{{}}', body, media, safety
        FROM (SELECT {STATE} FROM products p
              WHERE p.product_id = ANY(CAST(:product_ids AS uuid[]))
                AND NOT EXISTS (SELECT FROM product_versions k WHERE k.product_id = p.product_id)) s
        RETURNING product_id)
    INSERT INTO price_changes (variant_id, at, price)
    SELECT v.variant_id, v.created_at, v.price FROM product_variants v JOIN kept k ON k.product_id = v.product_id
    WHERE v.removed_at IS NULL AND NOT EXISTS (SELECT FROM price_changes c WHERE c.variant_id = v.variant_id)"""  # noqa: S608 - constants
)
