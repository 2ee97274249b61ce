select
    -- ids
    order_item_id,
    order_id,
    product_id,
    variant_id,
    seller_id,

    -- numerics
    quantity,
    cast(price_at_purchase as decimal(12, 2)) as price_at_purchase,
    cast(subtotal as decimal(12, 2)) as subtotal,

    -- timestamps
    created_at
from {{ source('lake', 'order_items') }}
