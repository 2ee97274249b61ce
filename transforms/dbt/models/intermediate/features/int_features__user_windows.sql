{{ config(meta={'refresh': {'key': ['user_id'], 'since': 'event_timestamp', 'at': {'int_demand__user_days': 'closes_at', 'int_demand__product_buyers': 'closes_at'}}}) }}
-- Running state of every shopper at every instant at which one of their figures changes, as in the windows of products.
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

),

instants as (

    select
        user_id,
        closes_at as event_timestamp,
        {{ changes_of(sums) }}
        max(last_order_day) as last_order_day
    from changes
    group by all

)

select
    user_id,
    event_timestamp,
    {{ running(sums) }}
    max(last_order_day) over so_far as last_order_day
from instants
window so_far as (partition by user_id order by event_timestamp rows between unbounded preceding and current row)
