{{ config(meta={'refresh': {'key': ['seller_id']}}) }}
-- What only shows when reviews are seen together. A ring: accounts that share a device or an address, in twos with the same
-- opinion of one seller within 14 days of each other. A burst: new accounts that bought nothing, with one opinion of one
-- product within a day of each other, many more than on the days before.
with reviews as (

    select * from {{ ref('int_reviews__traced') }}

),

linked as (

    select
        one.review_id,
        count(distinct other.user_id) as accounts
    from reviews as one
    inner join reviews as other
        on other.seller_id = one.seller_id
        and other.is_praise = one.is_praise
        and other.user_id <> one.user_id
        and (other.address = one.address or other.device = one.device)
        and other.created_at between one.created_at - interval 14 days and one.created_at + interval 14 days
    group by one.review_id

),

crowds as (

    select
        one.review_id,
        count(distinct other.user_id) filter (
            other.is_of_new_account and not other.is_verified and other.created_at >= one.created_at - interval 1 day
        ) as accounts,
        count(*) filter (other.created_at >= one.created_at - interval 1 day) as near,
        count(*) filter (other.created_at < one.created_at - interval 1 day) / 30 as usual
    from reviews as one
    inner join reviews as other
        on other.product_id = one.product_id
        and other.is_praise = one.is_praise
        and other.created_at between one.created_at - interval 31 days and one.created_at + interval 1 day
    where one.is_of_new_account and not one.is_verified
    group by one.review_id

),

found as (

    select review_id, 'ring' as pattern, accounts + 1 as accounts from linked where accounts >= 3
    union all
    select review_id, 'burst' as pattern, accounts from crowds
    where accounts >= 8 and accounts >= 0.6 * near and near >= 5 * usual

)

select
    found.review_id,
    found.pattern,
    review.seller_id,
    review.product_id,
    cast(found.accounts as bigint) as accounts,
    cast(least(0.5 + 0.05 * found.accounts, 0.95) as double) as score,
    review.created_at as written_at
from found
inner join reviews as review on review.review_id = found.review_id
