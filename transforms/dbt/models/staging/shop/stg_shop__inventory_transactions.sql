select
    -- ids
    transaction_id,
    variant_id,

    -- numerics
    quantity_change,

    -- words
    transaction_type,

    -- timestamps
    created_at
from {{ source('lake', 'inventory_transactions') }}
