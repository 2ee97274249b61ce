{{ config(meta={'refresh': {'key': ['key'], 'links': [
    {'parent': 'int_withheld__orders', 'columns': {'key': 'order_id'}},
    {'parent': 'int_withheld__products', 'columns': {'key': 'product_id'}},
    {'parent': 'stg_shop__orders', 'via': 'int_withheld__orders', 'columns': {'key': 'order_id'}, 'on': 'order_id'},
    {'parent': 'stg_shop__order_items', 'via': 'int_withheld__orders', 'columns': {'key': 'order_id'}, 'on': 'order_id'},
    {'parent': 'stg_shop__products', 'via': 'int_withheld__products', 'columns': {'key': 'product_id'}, 'on': 'product_id'},
    {'parent': 'stg_shop__sellers', 'via': 'stg_build__withheld', 'on': {'seller_id': 'key'}},
]}}) }}
-- Withheld keys with the names that people know them by; an order of several sellers has a row for each.
with sellers_of as (

    select distinct order_id, seller_id
    from {{ ref('stg_shop__order_items') }}

)

select
    'order' as kind,
    withheld.order_id as key,
    placed.order_number as name,
    sellers_of.seller_id,
    withheld.rule,
    withheld.since
from {{ ref('int_withheld__orders') }} as withheld
inner join {{ ref('stg_shop__orders') }} as placed using (order_id)
left join sellers_of using (order_id)
union all
select
    'product' as kind,
    withheld.product_id as key,
    product.title as name,
    product.seller_id,
    withheld.rule,
    withheld.since
from {{ ref('int_withheld__products') }} as withheld
inner join {{ ref('stg_shop__products') }} as product using (product_id)
union all
select 'seller' as kind, withheld.key, seller.name, seller.seller_id, withheld.rule, withheld.since
from {{ ref('stg_build__withheld') }} as withheld
inner join {{ ref('stg_shop__sellers') }} as seller on seller.seller_id = withheld.key
where withheld.kind = 'seller'
