-- What one shopper ordered on one trading day.
select
    line.user_id,
    day.day_no,
    day.closes_at,
    count(distinct line.order_id) as orders,
    sum(line.quantity) as units,
    sum(line.subtotal) as spend
from {{ ref('int_demand__lines') }} as line
inner join {{ ref('int_trading__days') }} as day on day.day = line.order_date
where line.user_id is not null
group by line.user_id, day.day_no, day.closes_at
