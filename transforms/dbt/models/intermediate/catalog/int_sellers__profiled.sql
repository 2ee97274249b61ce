{{ config(meta={'refresh': {'key': ['seller_id']}}) }}
with listed as (

    select seller_id, arg_min(currency, (created_at, product_id)) as currency
    from {{ ref('stg_shop__products') }}
    group by seller_id

)

select seller.seller_id, seller.name, seller.country, listed.currency, seller.rating, seller.created_at
from {{ ref('stg_shop__sellers') }} as seller
left join listed using (seller_id)
where {{ published_seller('seller.seller_id') }}
