{{ config(meta={'refresh': {'key': ['product_id'], 'since': 'event_timestamp', 'at': {'int_demand__product_days': 'closes_at', 'int_demand__product_returns': 'closes_at', 'int_demand__product_buyers': 'closes_at', 'int_demand__product_stock': 'closes_at'}}}) }}
-- Running state of every product at every instant at which one of its figures changes: a change of a UTC day counts from
-- the day's end. That of the unfinished day therefore lies ahead of the watermark; publication moves it there.
{% set sold = {
    7: {'orders_7d': 'orders'},
    30: {'orders_30d': 'orders', 'units_30d': 'units'},
    180: {'units_180d': 'units', 'priced_units_180d': 'priced_units', 'revenue_180d': 'revenue'}
} %}
{% set ever_sold = {'orders_total': 'orders', 'units_total': 'units'} %}
{% set returned = {180: {'returned_180d': 'units'}} %}
{% set sums = sum_names(sold, ever_sold) + sum_names(returned) + ['buyers_90d', 'stock'] %}
with changes as (

    select product_id, closes_at, day_no as last_order_day, last_price, {{ entering(sold, ever_sold) }}
    from {{ ref('int_demand__product_days') }}
    {{ leaving(ref('int_demand__product_days'), 'product_id', sold) }}

    union all by name
    select product_id, closes_at, {{ entering(returned) }}
    from {{ ref('int_demand__product_returns') }}
    {{ leaving(ref('int_demand__product_returns'), 'product_id', returned) }}

    {{ distinct_partners(ref('int_demand__product_buyers'), 'product_id', 'buyers_90d', 90) }}

    union all by name
    select product_id, closes_at, quantity_change as stock
    from {{ ref('int_demand__product_stock') }}

    -- a row when the product was listed
    union all by name
    select product_id, {{ utc_midnight(utc_day('created_at') ~ ' + 1') }} as closes_at, 0 as stock
    from {{ ref('int_products__joined') }}

),

instants as (

    select
        product_id,
        closes_at as event_timestamp,
        {{ changes_of(sums) }}
        max(last_order_day) as last_order_day,
        arg_max(last_price, last_order_day) filter (where last_price is not null) as last_price
    from changes
    group by all

)

select
    product_id,
    event_timestamp,
    {{ running(sums) }}
    min(last_order_day) over so_far as first_order_day,
    max(last_order_day) over so_far as last_order_day,
    last_value(last_price ignore nulls) over so_far as last_price
from instants
window so_far as (partition by product_id order by event_timestamp rows between unbounded preceding and current row)
