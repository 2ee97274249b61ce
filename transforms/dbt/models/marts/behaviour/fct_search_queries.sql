-- A search is answered by the clicks on results after it and before the next search of its session.
with numbered as (

    select
        *,
        count(*) filter (event_type = 'search') over (
            partition by session_id order by occurred_at, event_key rows unbounded preceding
        ) as search_no
    from {{ ref('int_behaviour__people') }}

),

clicked as (

    select
        session_id,
        search_no,
        count(*) as clicks,
        first(list_position order by occurred_at, event_key) as first_click_position,
        min(occurred_at) as first_click_at
    from numbered
    where event_type = 'click' and coalesce(source, 'search') = 'search' and search_no > 0
    group by session_id, search_no

),

ordered as (

    select click.session_id, click.search_no
    from numbered as click
    inner join numbered as purchase
        on purchase.session_id = click.session_id
        and purchase.product_id = click.product_id
        and purchase.occurred_at >= click.occurred_at
        and purchase.event_type = 'purchase'
        and purchase.origin = 'server'
    where click.event_type = 'click' and coalesce(click.source, 'search') = 'search' and click.search_no > 0
    group by all

)

select
    search.event_key as search_id,
    search.session_id,
    search.visitor_id,
    search.user_id,
    search.event_date as search_date,
    search.occurred_at as searched_at,
    search.query,
    lower(trim(regexp_replace(search.query, '\s+', ' ', 'g'))) as term,
    search.result_count,
    coalesce(clicked.clicks, 0) as clicks,
    clicked.first_click_position,
    date_diff('second', search.occurred_at, clicked.first_click_at) as seconds_to_click,
    ordered.search_no is not null as is_ordered
from numbered as search
left join clicked on clicked.session_id = search.session_id and clicked.search_no = search.search_no
left join ordered on ordered.session_id = search.session_id and ordered.search_no = search.search_no
where search.event_type = 'search'
