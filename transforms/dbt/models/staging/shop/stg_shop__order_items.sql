select
    -- ids
    order_item_id,
    order_id,
    product_id,
    variant_id,
    seller_id,
    edit_id,
    -- what a component was bought as a part of
    json_extract_string(kit, '$.variantId') as kit_variant_id,
    json_extract_string(kit, '$.productId') as kit_product_id,

    -- numerics
    quantity,
    cast(json_extract_string(kit, '$.quantity') as bigint) as kit_quantity,
    cast(price_at_purchase as decimal(12, 2)) as price_at_purchase,
    cast(subtotal as decimal(12, 2)) as subtotal,
    -- what the buyer paid for the goods, without tax
    cast(
        subtotal - coalesce(discount, 0) - case when tax_included then coalesce(tax_amount, 0) else 0 end as decimal(12, 2)
    ) as goods_amount,

    -- timestamps
    created_at
from {{ source('lake', 'order_items') }}
