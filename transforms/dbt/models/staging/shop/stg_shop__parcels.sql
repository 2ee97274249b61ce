select
    -- ids
    parcel_id,
    order_id,
    seller_id,
    warehouse_id,

    -- words
    status,
    carrier,

    -- days and timestamps; a promise is a day where the buyer is
    promised_on,
    shipped_at,
    delivered_at,
    created_at
from {{ source('lake', 'parcels') }}
