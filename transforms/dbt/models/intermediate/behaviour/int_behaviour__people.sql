-- A view: events of people's sessions, which everything but the sessions themselves counts.
{{ config(materialized='view') }}
select
    event.event_key,
    event.session_id,
    event.visitor_id,
    event.user_id,
    event.origin,
    event.event_type,
    event.product_id,
    event.order_id,
    event.query,
    event.source,
    event.list_position,
    event.quantity,
    event.result_count,
    event.search_id,
    event.relaxed_words,
    event.corrected_query,
    event.sort,
    event.filter_names,
    event.page,
    event.page_size,
    event.shown_products,
    event.language,
    event.is_search,
    event.occurred_at,
    event.event_date
from {{ ref('int_behaviour__events') }} as event
inner join {{ ref('int_behaviour__sessions') }} as session on session.session_id = event.session_id
where not session.is_bot
