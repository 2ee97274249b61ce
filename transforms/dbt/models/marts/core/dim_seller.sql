{{ config(meta={'refresh': {'key': ['seller_id']}}) }}
-- A seller's currency is that of the first product they listed. A day's sum in another currency is converted at the rate
-- of that day.
with rated as (

    select
        days.*,
        {{ converted('days.revenue', 'days.currency', 'seller.currency', 'rate.rate') }} as converted
    from {{ ref('int_sales__seller_days') }} as days
    inner join {{ ref('int_sellers__profiled') }} as seller using (seller_id)
    {{ join_rate('days.currency', 'seller.currency', 'days.order_date') }}

),

sales as (

    select
        seller_id,
        sum(orders) as orders,
        coalesce(sum(orders) filter (where converted is null), 0) as orders_without_rate,
        sum(units) as units,
        sum(converted) as revenue
    from rated
    group by seller_id

),

products as (

    select seller_id, count(*) as product_count
    from {{ ref('int_products__joined') }}
    where status <> 'deleted'
    group by seller_id

)

select
    seller.seller_id,
    seller.name,
    seller.country,
    seller.currency,
    seller.rating,
    cast(coalesce(products.product_count, 0) as bigint) as product_count,
    cast(coalesce(sales.orders, 0) as bigint) as orders,
    cast(coalesce(sales.orders_without_rate, 0) as bigint) as orders_without_rate,
    cast(coalesce(sales.units, 0) as bigint) as units,
    case when coalesce(sales.orders_without_rate, 0) = 0 then cast(coalesce(sales.revenue, 0) as decimal(18, 2)) end as revenue,
    seller.created_at
from {{ ref('int_sellers__profiled') }} as seller
left join sales using (seller_id)
left join products using (seller_id)
