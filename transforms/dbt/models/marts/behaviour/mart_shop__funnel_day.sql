-- A session that came to a step is counted in every step before it, so the counts never rise along the funnel.
with reached as (

    select
        session_date,
        is_bot,
        late_events,
        orders > 0 as has_ordered,
        orders > 0 or cart_additions > 0 as has_carted,
        orders > 0 or cart_additions > 0 or views > 0 as has_viewed
    from {{ ref('int_behaviour__sessions') }}

)

select
    session_date as funnel_date,
    count(*) filter (not is_bot) as sessions,
    count(*) filter (not is_bot and has_viewed) as viewing_sessions,
    count(*) filter (not is_bot and has_carted) as carting_sessions,
    count(*) filter (not is_bot and has_ordered) as ordering_sessions,
    coalesce(
        count(*) filter (not is_bot and has_ordered) / nullif(count(*) filter (not is_bot), 0), 0
    ) as conversion_rate,
    count(*) filter (is_bot) as bot_sessions,
    coalesce(sum(late_events), 0)::bigint as late_events
from reached
group by session_date
