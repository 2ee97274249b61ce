{{ config(meta={'refresh': {'key': ['user_id']}}) }}
-- Each shopper's lines as one list, oldest first; a snapshot is a slice of it. One row when a day with orders closes.
with lines as (

    select
        user_id,
        product_id,
        order_date,
        row_number() over (partition by user_id order by ordered_at, order_id, order_item_id) as line_no
    from {{ ref('int_demand__lines') }}
    where user_id is not null

),

firsts as (

    select
        user_id,
        product_id,
        min(order_date) as order_date,
        row_number() over (partition by user_id order by min(line_no)) as first_no
    from lines
    group by user_id, product_id

),

whole as (

    select
        lines.user_id,
        list(lines.product_id order by lines.line_no) as products
    from lines
    group by lines.user_id

),

whole_bought as (

    select user_id, list(product_id order by first_no) as products
    from firsts
    group by user_id

),

ends as (

    select user_id, order_date, max(line_no) as last_line
    from lines
    group by user_id, order_date

),

first_ends as (

    select user_id, order_date, max(first_no) as last_first
    from firsts
    group by user_id, order_date

),

snapshots as (

    select
        ends.user_id,
        {{ utc_midnight('ends.order_date + 1') }} as event_timestamp,
        ends.last_line,
        -- a day without a new product keeps the distinct products of the days before
        max(first_ends.last_first) over (partition by ends.user_id order by ends.order_date) as last_first
    from ends
    left join first_ends using (user_id, order_date)

)

select
    snapshot.user_id,
    snapshot.event_timestamp,
    snapshot.event_timestamp as created_timestamp,
    whole.products[greatest(snapshot.last_line - 49, 1):snapshot.last_line] as user__sequence,
    whole_bought.products[greatest(snapshot.last_first - 499, 1):snapshot.last_first] as user__bought
from snapshots as snapshot
inner join whole using (user_id)
inner join whole_bought using (user_id)
