select
    -- ids
    return_id,
    order_id,
    order_item_id,
    seller_id,

    -- numerics
    quantity,
    cast(refund_amount as decimal(12, 2)) as refund_amount,
    -- null in an event that the release before wrote while the columns were added
    cast(coalesce(goods_amount, refund_amount) as decimal(12, 2)) as goods_amount,
    cast(coalesce(tax_amount, 0) as decimal(12, 2)) as tax_amount,
    cast(coalesce(shipping_amount, 0) as decimal(12, 2)) as shipping_amount,

    -- words
    to_status,
    currency,

    -- timestamps
    created_at
from {{ source('lake', 'return_events') }}
