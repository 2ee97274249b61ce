select
    -- ids
    return_id,
    order_id,
    order_item_id,
    product_id,
    seller_id,
    user_id,

    -- numerics
    quantity,
    cast(refund_amount as decimal(12, 2)) as refund_amount,

    -- words
    status,
    {{ masked('reason') }},

    -- timestamps
    created_at as requested_at
from {{ source('lake', 'returns') }}
