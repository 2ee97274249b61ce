-- What one product sold on one trading day.
select
    line.product_id,
    day.day_no,
    day.closes_at,
    count(distinct line.order_id) as orders,
    sum(line.quantity) as units,
    sum(line.subtotal) as revenue,
    arg_max(line.price_at_purchase, (line.ordered_at, line.order_item_id)) as last_price
from {{ ref('int_demand__lines') }} as line
inner join {{ ref('int_trading__days') }} as day on day.day = line.order_date
group by line.product_id, day.day_no, day.closes_at
