{{ config(meta={'refresh': {'key': ['product_id'], 'links': [{'parent': 'stg_shop__inventory_transactions', 'via': 'stg_shop__product_variants', 'on': 'variant_id'}]}}) }}
-- Net change of one product's sellable pieces on one UTC day.
select
    variant.product_id,
    {{ utc_midnight(utc_day('moved.created_at') ~ ' + 1') }} as closes_at,
    sum(moved.quantity_change) as quantity_change
from {{ ref('stg_shop__inventory_transactions') }} as moved
inner join {{ ref('stg_shop__product_variants') }} as variant using (variant_id)
group by all
