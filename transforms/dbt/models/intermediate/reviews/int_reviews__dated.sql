{{ config(meta={'refresh': {'key': ['review_id'], 'links': [
    {'parent': 'int_products__joined', 'via': 'stg_shop__reviews_by_user', 'on': 'product_id'},
]}}) }}
-- A review counts on the day that it was written, with the stars that it has now, for who sells the product now.
select
    review.review_id,
    review.product_id,
    product.seller_id,
    review.rating,
    review.verified_purchase,
    {{ utc_day('review.created_at') }} as reviewed_on
from {{ ref('stg_shop__reviews_by_user') }} as review
inner join {{ ref('int_products__joined') }} as product on product.product_id = review.product_id
where review.status = 'published'
