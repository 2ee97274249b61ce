{{ config(meta={'refresh': {'key': ['product_id'], 'links': [{'parent': 'stg_shop__categories', 'via': 'stg_shop__products', 'on': 'category_id'}]}}) }}
with stock as (

    select product_id, sum(stock_quantity) as stock_quantity
    from {{ ref('stg_shop__product_variants') }}
    where not is_removed
    group by product_id

)

select
    product.product_id,
    product.seller_id,
    product.category_id,
    category.path as category_path,
    product.title,
    product.brand,
    product.base_price,
    product.currency,
    case when product.is_deleted then 'deleted' else product.status end as status,
    cast(coalesce(stock.stock_quantity, 0) as bigint) as stock_quantity,
    product.created_at
from {{ ref('stg_shop__products') }} as product
left join {{ ref('stg_shop__categories') }} as category using (category_id)
left join stock using (product_id)
where {{ published_product('product.product_id') }}
