{{ config(meta={'refresh': {'key': ['seller_id']}}) }}
with sales as (

    select
        seller_id,
        count(distinct order_id) as orders,
        sum(quantity) as units,
        sum(subtotal) as revenue
    from {{ ref('int_order_items__joined') }}
    where not is_cancelled
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
    seller.rating,
    cast(coalesce(products.product_count, 0) as bigint) as product_count,
    cast(coalesce(sales.orders, 0) as bigint) as orders,
    cast(coalesce(sales.units, 0) as bigint) as units,
    cast(coalesce(sales.revenue, 0) as decimal(18, 2)) as revenue,
    seller.created_at
from {{ ref('int_sellers__profiled') }} as seller
left join sales using (seller_id)
left join products using (seller_id)
