select
    search_date,
    term,
    count(*) as searches,
    count(distinct session_id) as sessions,
    count(distinct visitor_id) as shoppers,
    count(result_count) as counted_searches,
    count(*) filter (result_count = 0) as empty_searches,
    count(*) filter (is_relaxed) as relaxed_searches,
    count(*) filter (is_corrected) as corrected_searches,
    count(*) filter (clicks > 0) as clicked_searches,
    count(*) filter (is_carted) as carted_searches,
    count(*) filter (is_ordered) as ordered_searches,
    count(*) filter (result_count = 0) / nullif(count(result_count), 0) as zero_result_rate,
    count(*) filter (clicks > 0) / count(*) as click_through_rate,
    count(*) filter (is_carted) / count(*) as cart_rate,
    avg(case when clicks = 0 then 0 else 1 / (first_click_position + 1) end) as mean_reciprocal_rank
from {{ ref('fct_search_queries') }}
where term <> ''
group by search_date, term
