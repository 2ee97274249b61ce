{{ config(meta={'refresh': {'key': ['product_id']}}) }}
-- Pieces of one product that shoppers asked to return on one day, whatever was decided later; filed under the newest
-- trading day by then.
with asked as (

    select product_id, {{ utc_day('requested_at') }} as day, sum(quantity) as units
    from {{ ref('stg_shop__returns') }}
    where {{ published_order('order_id') }}
    group by all

)

select
    asked.product_id,
    trading.day_no,
    {{ utc_midnight('asked.day + 1') }} as closes_at,
    asked.units
from asked
asof inner join {{ ref('int_trading__days') }} as trading on asked.day >= trading.day
