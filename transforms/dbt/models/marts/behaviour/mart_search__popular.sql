-- Of the 30 days that end with the newest search. Words that fewer than three shoppers typed are shown to nobody else.
with recent as (

    select *
    from {{ ref('fct_search_queries') }}
    where
        search_date > (select max(search_date) from {{ ref('fct_search_queries') }}) - 30
        and term <> ''
        and not contains(term, '***')

)

select
    term,
    language,
    count(*) as searches,
    count(distinct visitor_id) as shoppers,
    count(*) filter (clicks > 0) as clicked_searches,
    last(result_count order by searched_at, search_id) as last_result_count
from recent
where result_count is not null
group by term, language
having count(distinct visitor_id) >= 3 and count(*) filter (clicks > 0) > 0 and last(result_count order by searched_at, search_id) > 0
