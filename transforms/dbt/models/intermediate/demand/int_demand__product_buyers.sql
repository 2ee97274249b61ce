{{ config(meta={'refresh': {'key': ['product_id', 'user_id']}}) }}
-- Trading days on which one shopper bought one product, with the next such day. Guests cannot be told apart and are
-- left out.
select
    line.product_id,
    line.user_id,
    day.day_no,
    day.closes_at,
    lead(day.day_no) over later as next_day_no,
    lead(day.closes_at) over later as next_closes_at
from (
    select distinct product_id, user_id, order_date
    from {{ ref('int_demand__lines') }}
    where user_id is not null
) as line
inner join {{ ref('int_trading__days') }} as day on day.day = line.order_date
window later as (partition by line.product_id, line.user_id order by day.day_no)
