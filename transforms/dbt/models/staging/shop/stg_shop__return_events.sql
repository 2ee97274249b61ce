select
    -- ids
    return_id,
    order_id,
    order_item_id,
    seller_id,

    -- numerics
    quantity,
    cast(refund_amount as decimal(12, 2)) as refund_amount,

    -- words
    to_status,
    currency,

    -- timestamps
    created_at
from {{ source('lake', 'return_events') }}
