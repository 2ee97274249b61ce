-- An order counts when the shop says so: a client's own purchase events count nowhere.
with counted as (

    select
        session_id,
        any_value(visitor_id) as visitor_id,
        max(user_id) as user_id,
        min(event_date) as session_date,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        date_diff('second', min(occurred_at), max(occurred_at)) as duration_seconds,
        max(campaign) as campaign,
        first(source order by occurred_at, event_key) as entry_source,
        count(*) as events,
        count(*) filter (event_type = 'impression') as impressions,
        count(*) filter (event_type = 'click') as clicks,
        count(*) filter (event_type = 'view') as views,
        count(distinct product_id) filter (event_type = 'view') as products_viewed,
        count(*) filter (event_type = 'add_to_cart') as cart_additions,
        count(*) filter (is_search) as searches,
        count(distinct order_id) filter (event_type = 'purchase' and origin = 'server') as orders,
        count(*) filter (is_late) as late_events,
        bool_or(is_bot) as by_program
    from {{ ref('int_behaviour__events') }}
    group by session_id

)

-- Nobody looks at more than one product a second for a minute.
select * exclude (by_program), by_program or (views >= 60 and views > duration_seconds) as is_bot
from counted
