select
    -- ids
    order_event_id,
    order_id,

    -- numerics
    sequence,

    -- words
    to_status,

    -- timestamps
    created_at
from {{ source('lake', 'order_events') }}
