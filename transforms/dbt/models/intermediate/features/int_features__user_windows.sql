-- Running state of every shopper at every instant at which one of their figures changes, and at the watermark itself.
{% set ordered = {
    365: {
        'orders_365d': 'orders',
        'priced_orders_365d': 'priced_orders',
        'priced_units_365d': 'priced_units',
        'spend_365d': 'spend'
    }
} %}
{% set ever_ordered = {'orders_total': 'orders'} %}
{% set sums = sum_names(ordered, ever_ordered) + ['products_365d'] %}
with changes as (

    select user_id, closes_at, day_no as last_order_day, {{ entering(ordered, ever_ordered) }}
    from {{ ref('int_demand__user_days') }}
    {{ leaving(ref('int_demand__user_days'), 'user_id', ordered) }}

    {{ distinct_partners(ref('int_demand__product_buyers'), 'user_id', 'products_365d', 365) }}

    union all by name
    select shopper.user_id, watermark.as_of as closes_at, 0 as orders_365d
    from (select distinct user_id from {{ ref('int_demand__user_days') }}) as shopper
    cross join {{ ref('int_build__watermark') }} as watermark

),

instants as (

    select
        user_id,
        least(closes_at, watermark.as_of) as event_timestamp,
        {{ changes_of(sums) }}
        max(last_order_day) as last_order_day
    from changes
    cross join {{ ref('int_build__watermark') }} as watermark
    group by all

)

select
    user_id,
    event_timestamp,
    {{ running(sums) }}
    max(last_order_day) over so_far as last_order_day
from instants
window so_far as (partition by user_id order by event_timestamp rows between unbounded preceding and current row)
