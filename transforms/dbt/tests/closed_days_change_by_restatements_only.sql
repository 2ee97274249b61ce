-- What a day closed with, counted from the shop's events by its end, and its later cancellations are what the day says: per
-- seller, day and currency. The events are read from the lake as it is now, not from the models that the marts are made
-- of, so they hold what else changed the day. All its restatements add up to restated_sales.
with happened as (

    select line.seller_id, {{ utc_day(sold_at('line', 'placed')) }} as order_date, placed.currency, line.goods_amount as amount
    from {{ ref('stg_shop__order_items') }} as line
    inner join {{ ref('stg_shop__orders') }} as placed using (order_id)
    where {{ published_order('line.order_id') }}
    union all
    -- cancelled before the day closed
    select line.seller_id, {{ utc_day(sold_at('line', 'placed')) }}, placed.currency, -line.goods_amount
    from {{ ref('stg_shop__order_items') }} as line
    inner join {{ ref('stg_shop__orders') }} as placed using (order_id)
    where {{ published_order('line.order_id') }}
        and exists (
            select 1
            from {{ ref('stg_shop__order_events') }} as event
            where event.order_id = line.order_id
                and event.to_status = 'cancelled'
                and {{ utc_day('event.created_at') }} <= {{ utc_day(sold_at('line', 'placed')) }}
        )
    union all
    select paid.seller_id, {{ utc_day('paid.created_at') }}, paid.currency, -paid.goods_amount
    from {{ ref('stg_shop__return_events') }} as paid
    inner join {{ ref('stg_shop__orders') }} as placed using (order_id)
    where paid.to_status = 'refunded' and placed.status <> 'cancelled' and {{ published_order('paid.order_id') }}
    union all
    select seller_id, order_date, currency, case when cause = 'cancelled' then amount else 0 end
    from {{ ref('mart_seller__restatement') }}

),

restated as (

    select seller_id, order_date, currency, sum(amount) as restated_sales
    from {{ ref('mart_seller__restatement') }}
    group by all

),

expected as (

    select seller_id, order_date, currency, sum(amount) as net_sales
    from happened
    group by all

)

select seller_id, order_date, currency, days.net_sales, expected.net_sales as expected
from {{ ref('mart_seller__sales_day') }} as days
full outer join expected using (seller_id, order_date, currency)
left join restated using (seller_id, order_date, currency)
where days.net_sales is distinct from expected.net_sales
    or days.restated_sales is distinct from coalesce(restated.restated_sales, 0)
