{{ config(meta={'refresh': {'key': ['review_id'], 'links': [
    {'parent': 'stg_shop__accounts', 'via': 'stg_shop__reviews_by_user', 'on': 'user_id'},
    {'parent': 'int_withheld__products', 'via': 'stg_shop__reviews_by_user', 'on': 'product_id'},
]}}) }}
-- Reviews with an opinion that speaks, and where they came from. Address and device are digests.
select
    review.review_id,
    review.user_id,
    review.product_id,
    review.seller_id,
    review.rating >= 4 as is_praise,
    review.verified_purchase as is_verified,
    review.created_at,
    signal.address,
    signal.device,
    coalesce(review.created_at - account.registered_at < interval 7 days, false) as is_of_new_account
from {{ ref('stg_shop__reviews_by_user') }} as review
left join {{ ref('stg_shop__review_signals') }} as signal on signal.review_id = review.review_id
left join {{ ref('stg_shop__accounts') }} as account on account.user_id = review.user_id
where review.origin = 'native' and review.rating <> 3 and {{ published_product('review.product_id') }}
