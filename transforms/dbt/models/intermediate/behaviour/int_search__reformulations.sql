-- A search without a click, and the first search after it in its session that led to one.
with followed as (

    select
        *,
        first_value(case when clicks > 0 then term end ignore nulls) over (
            partition by session_id order by searched_at, search_id rows between 1 following and unbounded following
        ) as later_term
    from {{ ref('int_search__queries') }}

)

select search_id, visitor_id, term, later_term
from followed
where clicks = 0 and term <> '' and later_term <> '' and later_term <> term and not contains(term || later_term, '***')
