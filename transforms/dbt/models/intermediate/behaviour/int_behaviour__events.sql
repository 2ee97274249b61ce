-- A session ends after 30 minutes without an event, at midnight UTC, and where another campaign begins. The first two split
-- a visitor's events into spans; a campaign splits a span where it differs from the last one named in it. The windows sort
-- the few columns they need; the others join at the end.
with known as (

    select
        event.event_key,
        event.occurred_at,
        event.campaign,
        coalesce(event.user_id, searcher.user_id, visitor.user_id) as user_id,
        coalesce(
            'user:' || coalesce(event.user_id, searcher.user_id, visitor.user_id),
            'session:' || coalesce(event.session_key, searcher.session_key),
            'order:' || event.order_id,
            'event:' || event.event_key
        ) as visitor_id
    from {{ ref('stg_behaviour__events') }} as event
    left join {{ ref('int_behaviour__searchers') }} as searcher on searcher.event_key = event.event_key
    left join {{ ref('int_behaviour__visitors') }} as visitor
        on visitor.session_key = coalesce(event.session_key, searcher.session_key)

),

timed as (

    select
        *,
        lag(occurred_at) over earlier as previous_at,
        last_value(campaign ignore nulls) over before as campaign_before,
        last_value(case when campaign is not null then occurred_at end ignore nulls) over before as campaign_at
    from known
    window
        earlier as (partition by visitor_id order by occurred_at, event_key),
        before as (
            partition by visitor_id order by occurred_at, event_key rows between unbounded preceding and 1 preceding
        )

),

spanned as (

    select
        *,
        previous_at is null
            or occurred_at - previous_at > interval 30 minutes
            or {{ utc_day('occurred_at') }} <> {{ utc_day('previous_at') }} as starts_span
    from timed

),

told as (

    select
        *,
        last_value(case when starts_span then occurred_at end ignore nulls) over (
            partition by visitor_id order by occurred_at, event_key rows unbounded preceding
        ) as span_began_at
    from spanned

),

-- A campaign named before the span began does not count.
placed as (

    select
        event_key,
        visitor_id,
        user_id,
        last_value(
            case
                when starts_span
                    or (
                        campaign is not null
                        and campaign is distinct from case when campaign_at >= span_began_at then campaign_before end
                    ) then event_key
            end ignore nulls
        ) over (partition by visitor_id order by occurred_at, event_key rows unbounded preceding) as session_id
    from told

)

select
    event.event_key,
    placed.session_id,
    placed.visitor_id,
    placed.user_id,
    event.origin,
    event.event_type,
    event.product_id,
    event.order_id,
    event.query,
    event.source,
    event.campaign,
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
    -- A search counts when the shop says so. A client's own word counts where the shop logged none in its session.
    event.event_type = 'search' and (
        event.origin = 'server'
        or (
            event.search_id is null
            and not bool_or(event.event_type = 'search' and event.origin = 'server') over (partition by placed.session_id)
        )
    ) as is_search,
    event.is_bot,
    event.occurred_at,
    {{ utc_day('event.occurred_at') }} as event_date,
    {{ utc_day('event.received_at') }} > {{ utc_day('event.occurred_at') }} as is_late
from {{ ref('stg_behaviour__events') }} as event
inner join placed on placed.event_key = event.event_key
