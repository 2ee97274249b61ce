select
    -- ids
    order_id,
    order_number,
    user_id,

    -- numerics
    cast(subtotal as decimal(12, 2)) as subtotal,
    cast(tax as decimal(12, 2)) as tax,
    cast(coalesce(tax_included, 0) as decimal(12, 2)) as tax_included,
    cast(shipping_fee as decimal(12, 2)) as shipping_fee,
    cast(discount as decimal(12, 2)) as discount,
    cast(total as decimal(12, 2)) as total,

    -- words
    status,
    currency,
    country,
    payment_status,
    origin,

    -- timestamps
    created_at,
    updated_at
from {{ source('lake', 'orders') }}
