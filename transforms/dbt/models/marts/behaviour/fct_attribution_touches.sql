-- Every order of the shop that a session holds, and the sessions of its visitor that may have led to it.
with placed as (

    select order_id, any_value(visitor_id) as visitor_id, min(occurred_at) as ordered_at
    from {{ ref('int_behaviour__people') }}
    where event_type = 'purchase' and origin = 'server'
    group by order_id

),

touched as (

    select
        placed.order_id,
        session.session_id,
        placed.ordered_at,
        session.started_at as touched_at,
        coalesce(session.campaign, 'direct') as channel,
        row_number() over (partition by placed.order_id order by session.started_at, session.session_id) as touch_no,
        count(*) over (partition by placed.order_id) as touches
    from placed
    inner join {{ ref('int_behaviour__sessions') }} as session
        on session.visitor_id = placed.visitor_id
        and session.started_at <= placed.ordered_at
        and session.started_at >= placed.ordered_at - interval 30 days
        and not session.is_bot

)

select
    order_id,
    session_id,
    ordered_at,
    touched_at,
    channel,
    touch_no,
    touches,
    case when touch_no = 1 then 1.0::double else 0.0::double end as first_credit,
    case when touch_no = touches then 1.0::double else 0.0::double end as last_credit,
    1.0::double / touches as linear_credit
from touched
