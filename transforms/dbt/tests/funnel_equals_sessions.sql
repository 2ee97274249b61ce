-- The days of the funnel and the sessions have the same totals.
with days as (

    select sum(sessions) as people, sum(bot_sessions) as programs, sum(late_events) as late
    from {{ ref('mart_shop__funnel_day') }}

),

visits as (

    select count(*) filter (not is_bot) as people, count(*) filter (is_bot) as programs, sum(late_events) as late
    from {{ ref('fct_sessions') }}

)

select *
from days
cross join visits
where coalesce(days.people, 0) <> visits.people
    or coalesce(days.programs, 0) <> visits.programs
    or coalesce(days.late, 0) <> coalesce(visits.late, 0)
