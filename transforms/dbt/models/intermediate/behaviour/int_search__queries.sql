-- A further page of the same words continues the search before it. A search is answered by the clicks that name it or one
-- of its pages, and by the clicks on results, without a name, after it and before the next search of its session.
with told as (

    select
        *,
        lower(trim(regexp_replace(query, '\s+', ' ', 'g'))) as term,
        case when is_search then coalesce(lower(trim(regexp_replace(query, '\s+', ' ', 'g'))), '') end as searched_term
    from {{ ref('int_behaviour__people') }}

),

followed as (

    select
        *,
        last_value(searched_term ignore nulls) over (
            partition by session_id order by occurred_at, event_key rows between unbounded preceding and 1 preceding
        ) as term_before
    from told

),

started as (

    select *, is_search and (coalesce(page, 1) = 1 or searched_term is distinct from term_before) as is_start
    from followed

),

numbered as (

    select
        *,
        count(*) filter (is_start) over (
            partition by session_id order by occurred_at, event_key rows unbounded preceding
        ) as search_no
    from started

),

-- What clients say of results, with the search that it is about. Where the product stood in the logged page goes before
-- what the client says.
pointed as (

    select
        event.event_key,
        event.session_id as said_in,
        event.event_type,
        event.product_id,
        event.occurred_at,
        page.event_key is not null as is_named,
        coalesce(page.session_id, event.session_id) as session_id,
        coalesce(page.search_no, event.search_no) as search_no,
        coalesce(
            (page.page - 1) * page.page_size
            + nullif(list_position(string_split(page.shown_products, ','), event.product_id), 0) - 1,
            event.list_position
        ) as place
    from numbered as event
    left join numbered as page
        on page.event_key = 'server:' || event.search_id and page.is_search
    where
        event.event_type in ('click', 'add_to_cart')
        and (page.event_key is not null or (coalesce(event.source, 'search') = 'search' and event.search_no > 0))

),

clicked as (

    select
        session_id,
        search_no,
        count(*) as clicks,
        cast(first(place order by occurred_at, event_key) as integer) as first_click_position,
        min(occurred_at) as first_click_at
    from pointed
    where event_type = 'click'
    group by session_id, search_no

),

-- What became of a clicked product later in the session of the click.
became as (

    select
        click.session_id,
        click.search_no,
        bool_or(later.event_type = 'purchase') as is_ordered,
        bool_or(later.event_type = 'add_to_cart') as is_carted
    from pointed as click
    inner join numbered as later
        on later.session_id = click.said_in
        and later.product_id = click.product_id
        and later.occurred_at >= click.occurred_at
        and (later.event_type = 'add_to_cart' or (later.event_type = 'purchase' and later.origin = 'server'))
    where click.event_type = 'click'
    group by click.session_id, click.search_no

),

-- Put into the cart from the results themselves.
picked as (

    select distinct session_id, search_no from pointed where event_type = 'add_to_cart' and is_named

),

paged as (

    select session_id, search_no, count(*) as pages from numbered where is_search group by session_id, search_no

)

select
    search.event_key as search_id,
    search.session_id,
    search.visitor_id,
    search.user_id,
    search.event_date as search_date,
    search.occurred_at as searched_at,
    search.query,
    search.term,
    search.language,
    search.sort,
    search.filter_names,
    search.result_count,
    search.relaxed_words is not null as is_relaxed,
    search.corrected_query is not null as is_corrected,
    paged.pages,
    coalesce(clicked.clicks, 0) as clicks,
    clicked.first_click_position,
    -- A client's clock may be behind.
    case
        when clicked.first_click_at is not null
            then greatest(date_diff('second', search.occurred_at, clicked.first_click_at), 0)
    end as seconds_to_click,
    coalesce(became.is_carted, false) or picked.search_no is not null as is_carted,
    coalesce(became.is_ordered, false) as is_ordered
from numbered as search
inner join paged on paged.session_id = search.session_id and paged.search_no = search.search_no
left join clicked on clicked.session_id = search.session_id and clicked.search_no = search.search_no
left join became on became.session_id = search.session_id and became.search_no = search.search_no
left join picked on picked.session_id = search.session_id and picked.search_no = search.search_no
where search.is_start
