{{ config(meta={'refresh': {'key': ['product_id', 'reviewed_on']}}) }}
select
    product_id,
    reviewed_on,
    any_value(seller_id) as seller_id,
    count(*) as reviews,
    count(*) filter (verified_purchase) as verified,
    count(*) filter (rating = 1) as reviews_1,
    count(*) filter (rating = 2) as reviews_2,
    count(*) filter (rating = 3) as reviews_3,
    count(*) filter (rating = 4) as reviews_4,
    count(*) filter (rating = 5) as reviews_5,
    cast(sum(rating) as bigint) as stars,
    cast(sum(rating) / count(*) as double) as average_rating
from {{ ref('int_reviews__dated') }}
group by product_id, reviewed_on
