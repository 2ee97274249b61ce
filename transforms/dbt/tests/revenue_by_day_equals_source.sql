-- Orders and amounts by day in the mart are those of the lake's own table, to the cent, per currency.
with mart as (

    select order_date, currency, count(*) as orders, sum(total) as total
    from {{ ref('fct_orders') }}
    group by all

),

shop as (

    select {{ utc_day('created_at') }} as order_date, currency, count(*) as orders, sum(total) as total
    from {{ ref('stg_shop__orders') }}
    where {{ published_order('order_id') }}
    group by all

)

select *
from mart
full outer join shop using (order_date, currency)
where mart.orders is distinct from shop.orders or mart.total is distinct from shop.total
