select
    -- ids
    origin || ':' || event_id as event_key,
    product_id,
    user_id,
    session_key,
    order_id,
    search_id,

    -- words
    origin,
    case event_type when 'addToCart' then 'add_to_cart' else event_type end as event_type,
    {{ without_contacts('query') }},
    source,
    campaign,
    relaxed_words,
    {{ without_contacts('corrected_query') }},
    sort,
    filter_names,
    shown_products,
    language,

    -- numerics
    list_position,
    quantity,
    result_count,
    page,
    page_size,

    -- booleans
    is_bot,

    -- timestamps
    occurred_at,
    received_at
from {{ source('behaviour', 'behaviour_events') }}
where event_type <> 'forgetSearches'
