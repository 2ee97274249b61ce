-- A session ends after 30 minutes without an event, at midnight UTC, and where another campaign begins. The first two split
-- a visitor's events into spans; a campaign splits a span where it differs from the last one named in it.
with known as (

    select
        event.*,
        coalesce(event.user_id, visitor.user_id) as known_user_id,
        coalesce(
            'user:' || coalesce(event.user_id, visitor.user_id),
            'session:' || event.session_key,
            'order:' || event.order_id,
            'event:' || event.event_key
        ) as visitor_id
    from {{ ref('stg_behaviour__events') }} as event
    left join {{ ref('int_behaviour__visitors') }} as visitor on visitor.session_key = event.session_key

),

timed as (

    select *, lag(occurred_at) over (partition by visitor_id order by occurred_at, event_key) as previous_at
    from known

),

spanned as (

    select
        *,
        sum(
            case
                when previous_at is null
                    or occurred_at - previous_at > interval 30 minutes
                    or {{ utc_day('occurred_at') }} <> {{ utc_day('previous_at') }} then 1
                else 0
            end
        ) over (partition by visitor_id order by occurred_at, event_key rows unbounded preceding) as span_no
    from timed

),

told as (

    select
        *,
        row_number() over (partition by visitor_id, span_no order by occurred_at, event_key) as place,
        last_value(campaign ignore nulls) over (
            partition by visitor_id, span_no order by occurred_at, event_key
            rows between unbounded preceding and 1 preceding
        ) as campaign_before
    from spanned

),

numbered as (

    select
        *,
        sum(case when place = 1 or (campaign is not null and campaign is distinct from campaign_before) then 1 else 0 end)
            over (partition by visitor_id order by occurred_at, event_key rows unbounded preceding) as session_no
    from told

)

select
    event_key,
    first_value(event_key) over one_session as session_id,
    visitor_id,
    known_user_id as user_id,
    origin,
    event_type,
    product_id,
    order_id,
    query,
    source,
    campaign,
    list_position,
    quantity,
    result_count,
    is_bot,
    occurred_at,
    {{ utc_day('occurred_at') }} as event_date,
    {{ utc_day('received_at') }} > {{ utc_day('occurred_at') }} as is_late
from numbered
window one_session as (partition by visitor_id, session_no order by occurred_at, event_key rows unbounded preceding)
