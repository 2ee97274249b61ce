{{ config(meta={'refresh': {'key': ['product_id'], 'links': [
    {'parent': 'int_products__joined'},
    {'parent': 'int_products__joined', 'via': 'int_pairs__counted', 'on': {'product_id': 'with_product_id'}},
]}}) }}
-- Ranked after the joins: a product that the catalog does not hold at the build's watermark leaves no gap.
with ranked as (

    select
        product.product_id,
        partner.product_id as with_product_id,
        product.title,
        partner.title as with_title,
        product.seller_id,
        pair.orders_together,
        pair.confidence,
        pair.lift,
        row_number() over (
            partition by pair.product_id
            order by pair.orders_together desc, pair.lift desc, pair.with_product_id
        ) as rank,
        pair.watermark_lsn as pairs_lsn,
        pair.watermark_lsn_text as pairs_lsn_text
    from {{ ref('int_pairs__counted') }} as pair
    inner join {{ ref('int_products__joined') }} as product on product.product_id = pair.product_id
    inner join {{ ref('int_products__joined') }} as partner on partner.product_id = pair.with_product_id

)

select *
from ranked
where rank <= 20
