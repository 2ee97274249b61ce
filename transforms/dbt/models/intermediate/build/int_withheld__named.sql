{{ config(meta={'refresh': {'key': ['key'], 'links': [
    {'parent': 'stg_shop__orders', 'via': 'stg_build__withheld', 'on': {'order_id': 'key'}},
    {'parent': 'stg_shop__order_items', 'via': 'stg_build__withheld', 'on': {'order_id': 'key'}},
    {'parent': 'stg_shop__products', 'via': 'stg_build__withheld', 'on': {'product_id': 'key'}},
    {'parent': 'stg_shop__sellers', 'via': 'stg_build__withheld', 'on': {'seller_id': 'key'}},
]}}) }}
-- Withheld keys with the names that people know them by; an order of several sellers has a row for each.
with sellers_of as (

    select distinct order_id, seller_id
    from {{ ref('stg_shop__order_items') }}

)

select withheld.kind, withheld.key, placed.order_number as name, sellers_of.seller_id, withheld.rule, withheld.since
from {{ ref('stg_build__withheld') }} as withheld
inner join {{ ref('stg_shop__orders') }} as placed on placed.order_id = withheld.key
left join sellers_of using (order_id)
where withheld.kind = 'order'
union all
select withheld.kind, withheld.key, product.title, product.seller_id, withheld.rule, withheld.since
from {{ ref('stg_build__withheld') }} as withheld
inner join {{ ref('stg_shop__products') }} as product on product.product_id = withheld.key
where withheld.kind = 'product'
union all
select withheld.kind, withheld.key, seller.name, seller.seller_id, withheld.rule, withheld.since
from {{ ref('stg_build__withheld') }} as withheld
inner join {{ ref('stg_shop__sellers') }} as seller on seller.seller_id = withheld.key
where withheld.kind = 'seller'
