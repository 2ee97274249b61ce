{{ config(meta={'refresh': {'key': ['product_id']}}) }}
-- What one product sold on one trading day. Lines without a rate to the shop's currency count as units, not as money.
select
    line.product_id,
    day.day_no,
    day.closes_at,
    count(distinct line.order_id) as orders,
    sum(line.quantity) as units,
    coalesce(sum(line.quantity) filter (where line.amount is not null), 0) as priced_units,
    coalesce(sum(line.amount), 0) as revenue,
    arg_max(line.price, (line.ordered_at, line.order_item_id)) filter (where line.price is not null) as last_price
from {{ ref('int_demand__lines') }} as line
inner join {{ ref('int_trading__days') }} as day on day.day = line.order_date
group by line.product_id, day.day_no, day.closes_at
