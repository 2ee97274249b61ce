{{ config(meta={'refresh': {'key': ['product_id', 'reviewed_on']}}) }}
select
    product_id,
    reviewed_on,
    any_value(seller_id) as seller_id,
    count(*) as reviews,
    count(*) filter (verified_purchase) as verified,
    cast(sum(rating) as bigint) as stars,
    cast(sum(rating) / count(*) as double) as average_rating
from {{ ref('int_reviews__dated') }}
group by product_id, reviewed_on
