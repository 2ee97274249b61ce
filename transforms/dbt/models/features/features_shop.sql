-- The shop's own clock: how many trading days had begun to count at an instant. One row when a trading day closes.
select
    'souk' as shop_id,
    least(day.closes_at, watermark.as_of) as event_timestamp,
    watermark.as_of as created_timestamp,
    cast(max(day.day_no) as bigint) as shop__trading_day
from {{ ref('int_trading__days') }} as day
cross join {{ ref('int_build__watermark') }} as watermark
group by all
union all
select 'souk', watermark.as_of, watermark.as_of, cast(coalesce(max(day.day_no), 0) as bigint)
from {{ ref('int_build__watermark') }} as watermark
left join {{ ref('int_trading__days') }} as day on day.closes_at <= watermark.as_of
where not exists (select 1 from {{ ref('int_trading__days') }} as newest where newest.closes_at >= watermark.as_of)
group by watermark.as_of
