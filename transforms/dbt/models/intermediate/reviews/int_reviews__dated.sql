{{ config(meta={'refresh': {'key': ['review_id']}}) }}
-- A review counts on the day that it was written, with the stars that it has now.
select
    review_id,
    product_id,
    seller_id,
    rating,
    verified_purchase,
    {{ utc_day('created_at') }} as reviewed_on
from {{ ref('stg_shop__reviews_by_user') }}
where status = 'published'
