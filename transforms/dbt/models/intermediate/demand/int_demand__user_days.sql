{{ config(meta={'refresh': {'key': ['user_id']}}) }}
-- What one shopper ordered on one trading day. Orders without a rate to the shop's currency count as orders, not as money.
select
    line.user_id,
    day.day_no,
    day.closes_at,
    count(distinct line.order_id) as orders,
    count(distinct line.order_id) filter (where line.amount is not null) as priced_orders,
    coalesce(sum(line.quantity) filter (where line.amount is not null), 0) as priced_units,
    coalesce(sum(line.amount), 0) as spend
from {{ ref('int_demand__lines') }} as line
inner join {{ ref('int_trading__days') }} as day on day.day = line.order_date
where line.user_id is not null
group by line.user_id, day.day_no, day.closes_at
