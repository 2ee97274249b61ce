select
    -- ids
    origin || ':' || event_id as event_key,
    product_id,
    user_id,
    session_key,
    order_id,

    -- words
    origin,
    case event_type when 'addToCart' then 'add_to_cart' else event_type end as event_type,
    {{ without_contacts('query') }},
    source,
    campaign,

    -- numerics
    list_position,
    quantity,
    result_count,

    -- booleans
    is_bot,

    -- timestamps
    occurred_at,
    received_at
from {{ source('behaviour', 'behaviour_events') }}
