{{ config(meta={'refresh': {'key': ['product_id']}}) }}
-- Withheld products and those of withheld sellers. The rule is that of the product itself where it breaks one.
with named as (

    select product.product_id, withheld.rule, withheld.since, 0 as distance
    from {{ ref('stg_shop__products') }} as product
    inner join {{ ref('stg_build__withheld') }} as withheld on withheld.key = product.product_id
    where withheld.kind = 'product'
    union all
    select product.product_id, withheld.rule, withheld.since, 1 as distance
    from {{ ref('stg_shop__products') }} as product
    inner join {{ ref('stg_build__withheld') }} as withheld on withheld.key = product.seller_id
    where withheld.kind = 'seller'

)

select product_id, arg_min(rule, distance) as rule, arg_min(since, distance) as since
from named
group by product_id
