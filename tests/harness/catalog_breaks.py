"""What breaks each check of the catalog, and no other: a part of `BREAKS` of the test of invariants."""

from tests.harness.breaks import HOLD, RESERVATION, UNVERSIONED, VARIANT

# A kit that is in no list, with a variant of which there are five, and what that is made of.
KIT = (
    (
        "insert into products (product_id, seller_id, category_id, title, base_price, currency, kind, status)"
        " select gen_random_uuid(), seller_id, category_id, 'A kit', 5, currency, 'kit', 'draft' from products limit 1"
    ),
    (
        "insert into product_variants (variant_id, product_id, seller_id, sku, attributes, price, stock_quantity)"
        " select gen_random_uuid(), product_id, seller_id, 'A-KIT', '{}', 5, 5 from products where kind = 'kit'"
    ),
    (
        "insert into kit_components (variant_id, component_id, units, position)"
        " select k.variant_id, c.variant_id, 1, 0 from product_variants k join product_variants c using (seller_id)"
        " where k.sku = 'A-KIT' and c.sku <> 'A-KIT' order by c.variant_id limit 1"
    ),
)
COUNTED = (
    "update product_variants k set stock_quantity = c.stock_quantity from kit_components m join product_variants c"
    " on c.variant_id = m.component_id where m.variant_id = k.variant_id"
)
WITHOUT_VERSIONS = "where not exists (select from product_versions v where v.product_id = products.product_id) limit 1"
LONG_AGO = (
    "update product_variants set updated_at = now() - interval '1 day'",
    "update products set updated_at = now() - interval '1 day'",
)

OF_CATALOG: dict[str, tuple[str, ...]] = {
    "R-I26-rows": (
        (
            "insert into bulk_jobs (job_id, seller_id, format, dry_run, bytes, rows, created)"
            " select gen_random_uuid(), seller_id, 'csv', false, 9, 1, 1 from products limit 1"
        ),
    ),
    "R-I31-counted": (
        (
            "insert into question_posts (post_id, product_id, user_id, role, text, votes) select gen_random_uuid(),"
            " product_id, seller_id, 'seller', 'Why?', 1 from products limit 1"
        ),
    ),
    "R-I30-path": ("update categories set level = level + 1",),
    "R-I30-placed": (
        (
            "with gone as (insert into categories (category_id, name, path, level, removed_at) values"
            " (gen_random_uuid(), 'Gone', '/Gone', 0, now()) returning category_id)"
            " insert into category_redirects (path, category_id) select '/old', category_id from gone"
        ),
    ),
    "R-I18-listed": ("update price_points set price = price + 1, lower_price = lower_price + 1",),
    "R-I32-price": (
        *UNVERSIONED,
        f"update product_variants set price = price + 1, own_price = null where variant_id = {VARIANT}",
    ),
    "R-I34-price": (
        "alter table price_changes disable trigger user",
        "update price_changes set price = price + 1",
    ),
    "R-I34-lowest": (f"update product_variants set lowest_price_30d = 1 where variant_id = {VARIANT}",),
    "R-I32-sku": (
        *UNVERSIONED,
        "drop index uq_product_variants_seller_sku",
        "update product_variants set sku = case when length(sku) % 2 = 0 then 'same' else 'SAME' end",
    ),
    "R-I32-attributes": (
        *UNVERSIONED,
        (
            "update product_variants v set attributes = w.attributes from product_variants w"
            " where w.product_id = v.product_id and w.variant_id < v.variant_id"
        ),
    ),
    "R-I32-removed": (
        *UNVERSIONED,
        RESERVATION.format(order="null", status="active", expires="600 seconds"),
        HOLD,
        (
            "update product_variants set removed_at = now() - interval '1 hour' where variant_id in"
            " (select variant_id from inventory_reservations)"
        ),
    ),
    "R-I34-queue": (
        (
            "insert into queued_products (product_id, seller_id, unverified, score, findings)"
            " select product_id, seller_id, false, 100, '[]' from products limit 1"
        ),
    ),
    "R-I34-refused": (
        (
            "insert into product_decisions (decision_id, product_id, version, decision, decided_by, reason, score,"
            " findings) select gen_random_uuid(), product_id, 1, 'removed', seller_id, 'r', 0, '[]' from products"
        ),
    ),
    "R-I35-reports": ("update product_reports set decision_id = null",),
    "R-I35-removed": (
        "alter table product_decisions disable trigger user",
        "delete from product_decisions where decision = 'removed'",
    ),
    "R-I35-objections": (
        "alter table decision_objections disable trigger user",
        "delete from decision_objections",
    ),
    "R-I38-article": (
        (
            "update products set article_id = gen_random_uuid() where product_id ="
            " (select product_id from products order by product_id limit 1)"
        ),
    ),
    "R-I38-joined": (
        (
            "insert into joined_articles (article_id, joined_id)"
            " select n.id, '00000000-0000-0000-0000-000000000001' from (select gen_random_uuid() as id) n"
        ),
    ),
    "R-I41-own": (
        (
            "insert into pictures (name, digest, media_type, bytes, width, height, blur)"
            " values (repeat('0', 32) || '-00000000', repeat('0', 32), 'image/png', 1, 1, 1, '')"
        ),
        (
            "insert into product_images (image_id, product_id, position, url, picture) select gen_random_uuid(),"
            " product_id, 0, 'https://a.example/1.jpg', repeat('0', 32) || '-00000000'"
            f" from products {WITHOUT_VERSIONS}"
        ),
    ),
    "R-I41-awaited": (
        (
            "insert into awaited_images (image_id, product_id, seller_id, position, source, host, next_try)"
            " select gen_random_uuid(), product_id, gen_random_uuid(), 0, 'https://a.example/1.jpg', 'a.example:443',"
            f" now() from products {WITHOUT_VERSIONS}"
        ),
    ),
    "R-I33-newest": ("update products set description = 'other' where version = 2",),
    "R-I33-order": (
        "alter table product_versions disable trigger user",
        "update product_versions set at = at + interval '1 year' where version = 1",
    ),
    "R-I37-components": (
        *KIT,
        "update product_variants set stock_quantity = 0 where sku = 'A-KIT'",
        "update products set kind = 'physical' where kind = 'kit'",
        *UNVERSIONED,
    ),
    "R-I37-count": (
        *KIT,
        "update product_variants set stock_quantity = stock_quantity + 10000 where sku = 'A-KIT'",
        *LONG_AGO,
    ),
    "R-I37-stock": (
        *KIT,
        COUNTED,
        (
            "insert into warehouse_stock (variant_id, warehouse_id, available)"
            " select v.variant_id, w.warehouse_id, 0 from product_variants v, warehouses w where v.sku = 'A-KIT'"
            " limit 1"
        ),
    ),
    "R-I40-delivered": (
        (
            "insert into licence_keys (key_id, variant_id, sealed, digest, order_item_id, delivered_at)"
            " select gen_random_uuid(), variant_id, 'x', 'x', order_item_id, now() from order_items limit 1"
        ),
    ),
    "R-I40-parcels": ("update parcels set digital = true where delivered_at is null",),
    "R-I40-pool": (
        *UNVERSIONED,
        (
            "update products set kind = 'digital' where product_id = (select product_id from product_variants v"
            " where stock_quantity > 0 and not exists (select from order_items i where i.product_id = v.product_id)"
            " limit 1)"
        ),
    ),
    "R-I40-withdrawn": (
        (
            "insert into key_withdrawals (withdrawal_id, variant_id, withdrawn_by, keys)"
            " select gen_random_uuid(), variant_id, gen_random_uuid(), 1 from product_variants limit 1"
        ),
    ),
    "R-I40-downloads": (
        (
            "insert into download_rights (order_item_id, most, ends_at)"
            " select order_item_id, 1, now() from order_items limit 1"
        ),
    ),
    "R-I18-counted": ("update product_counters set in_stock = not in_stock",),
}
