{{ config(meta={'refresh': {'key': ['order_id'], 'links': [
    {'parent': 'int_withheld__products', 'via': 'stg_shop__order_items', 'on': 'product_id'},
]}}) }}
-- Withheld orders and those with a line of a withheld product or seller, also orders that came after the build. The rule
-- is that of the order itself where it breaks one.
with named as (

    select key as order_id, rule, since, 0 as distance
    from {{ ref('stg_build__withheld') }}
    where kind = 'order'
    union all
    select line.order_id, product.rule, product.since, 1 as distance
    from {{ ref('stg_shop__order_items') }} as line
    inner join {{ ref('int_withheld__products') }} as product using (product_id)
    union all
    select line.order_id, withheld.rule, withheld.since, 2 as distance
    from {{ ref('stg_shop__order_items') }} as line
    inner join {{ ref('stg_build__withheld') }} as withheld on withheld.key = line.seller_id
    where withheld.kind = 'seller'

)

select order_id, arg_min(rule, (distance, since, rule)) as rule, arg_min(since, (distance, since, rule)) as since
from named
group by order_id
