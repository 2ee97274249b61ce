-- Running state of every shopper at every instant at which one of their figures changes, and at the watermark itself.
with deltas as (

    select
        user_id,
        closes_at,
        orders as orders_365d,
        units as units_365d,
        spend as spend_365d,
        orders as orders_total,
        day_no as last_order_day
    from {{ ref('int_demand__user_days') }}

    union all by name {{ leaving(
        ref('int_demand__user_days'), 'user_id', 365, {'orders_365d': 'past.orders', 'units_365d': 'past.units', 'spend_365d': 'past.spend'}
    ) }}
    union all by name {{ distinct_entering(ref('int_demand__product_buyers'), 'user_id', 'products_365d') }}
    union all by name {{ distinct_leaving(ref('int_demand__product_buyers'), 'user_id', 'products_365d', 365) }}
    union all by name
    select shopper.user_id, cut.as_of as closes_at, 0 as orders_365d
    from (select distinct user_id from {{ ref('int_demand__user_days') }}) as shopper
    cross join {{ ref('int_build__cut') }} as cut

),

instants as (

    select
        delta.user_id,
        least(delta.closes_at, cut.as_of) as event_timestamp,
        sum(coalesce(delta.orders_365d, 0)) as orders_365d,
        sum(coalesce(delta.units_365d, 0)) as units_365d,
        sum(coalesce(delta.spend_365d, 0)) as spend_365d,
        sum(coalesce(delta.products_365d, 0)) as products_365d,
        sum(coalesce(delta.orders_total, 0)) as orders_total,
        max(delta.last_order_day) as last_order_day
    from deltas as delta
    cross join {{ ref('int_build__cut') }} as cut
    group by all

)

select
    user_id,
    event_timestamp,
    sum(orders_365d) over so_far as orders_365d,
    sum(units_365d) over so_far as units_365d,
    sum(spend_365d) over so_far as spend_365d,
    sum(products_365d) over so_far as products_365d,
    sum(orders_total) over so_far as orders_total,
    max(last_order_day) over so_far as last_order_day
from instants
window so_far as (partition by user_id order by event_timestamp rows between unbounded preceding and current row)
