-- Running state of every product at every instant at which one of its figures changes, and at the watermark itself. A change of a UTC day
-- counts from the day's end, the newest, unfinished day from the watermark.
with deltas as (

    select
        product_id,
        closes_at,
        orders as orders_7d,
        orders as orders_30d,
        units as units_30d,
        units as units_180d,
        revenue as revenue_180d,
        orders as orders_total,
        units as units_total,
        day_no as last_order_day,
        last_price
    from {{ ref('int_demand__product_days') }}

    union all by name {{ leaving(ref('int_demand__product_days'), 'product_id', 7, {'orders_7d': 'past.orders'}) }}
    union all by name {{ leaving(ref('int_demand__product_days'), 'product_id', 30, {'orders_30d': 'past.orders', 'units_30d': 'past.units'}) }}
    union all by name {{ leaving(ref('int_demand__product_days'), 'product_id', 180, {'units_180d': 'past.units', 'revenue_180d': 'past.revenue'}) }}
    union all by name {{ distinct_entering(ref('int_demand__product_buyers'), 'product_id', 'buyers_90d') }}
    union all by name {{ distinct_leaving(ref('int_demand__product_buyers'), 'product_id', 'buyers_90d', 90) }}
    union all by name select product_id, closes_at, units as returned_180d from {{ ref('int_demand__product_returns') }}
    union all by name {{ leaving(ref('int_demand__product_returns'), 'product_id', 180, {'returned_180d': 'past.units'}) }}
    union all by name select product_id, closes_at, quantity_change as stock from {{ ref('int_demand__product_stock') }}
    -- a row when the product was listed, and one at the watermark
    union all by name
    select product_id, {{ utc_midnight(utc_day('created_at') ~ ' + 1') }} as closes_at, 0 as stock
    from {{ ref('int_products__catalogued') }}
    where created_at <= (select as_of from {{ ref('int_build__cut') }})
    union all by name
    select product.product_id, cut.as_of as closes_at, 0 as stock
    from {{ ref('int_products__catalogued') }} as product
    cross join {{ ref('int_build__cut') }} as cut

),

instants as (

    select
        delta.product_id,
        least(delta.closes_at, cut.as_of) as event_timestamp,
        sum(coalesce(delta.orders_7d, 0)) as orders_7d,
        sum(coalesce(delta.orders_30d, 0)) as orders_30d,
        sum(coalesce(delta.units_30d, 0)) as units_30d,
        sum(coalesce(delta.units_180d, 0)) as units_180d,
        sum(coalesce(delta.revenue_180d, 0)) as revenue_180d,
        sum(coalesce(delta.buyers_90d, 0)) as buyers_90d,
        sum(coalesce(delta.returned_180d, 0)) as returned_180d,
        sum(coalesce(delta.orders_total, 0)) as orders_total,
        sum(coalesce(delta.units_total, 0)) as units_total,
        sum(coalesce(delta.stock, 0)) as stock,
        max(delta.last_order_day) as last_order_day,
        arg_max(delta.last_price, delta.last_order_day) filter (where delta.last_order_day is not null) as last_price
    from deltas as delta
    cross join {{ ref('int_build__cut') }} as cut
    group by all

)

select
    product_id,
    event_timestamp,
    sum(orders_7d) over so_far as orders_7d,
    sum(orders_30d) over so_far as orders_30d,
    sum(units_30d) over so_far as units_30d,
    sum(units_180d) over so_far as units_180d,
    sum(revenue_180d) over so_far as revenue_180d,
    sum(buyers_90d) over so_far as buyers_90d,
    sum(returned_180d) over so_far as returned_180d,
    sum(orders_total) over so_far as orders_total,
    sum(units_total) over so_far as units_total,
    sum(stock) over so_far as stock,
    min(last_order_day) over so_far as first_order_day,
    max(last_order_day) over so_far as last_order_day,
    last_value(last_price ignore nulls) over so_far as last_price
from instants
window so_far as (partition by product_id order by event_timestamp rows between unbounded preceding and current row)
