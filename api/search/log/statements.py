"""The SQL of the marts of searches, in DuckDB's dialect."""

LAST_DAY = "SELECT max(search_date) FROM fct_search_queries"
TOTALS = """
    SELECT count(*), count(DISTINCT visitor_id), count(DISTINCT term), count(*) FILTER (result_count = 0),
           count(*) FILTER (clicks > 0), count(*) FILTER (is_carted)
    FROM fct_search_queries WHERE search_date BETWEEN ? AND ? AND term <> ''
"""
# The order: by how often, by searches that led to nothing, by searches without a result; then by the alphabet.
TERMS = """
    SELECT term, count(*) AS searches, count(DISTINCT visitor_id) AS shoppers,
           count(*) FILTER (result_count = 0) AS empty_searches, count(*) FILTER (clicks > 0) AS clicked_searches,
           count(*) FILTER (is_carted) AS carted_searches, count(*) FILTER (is_ordered) AS ordered_searches,
           count(*) FILTER (result_count = 0) / nullif(count(result_count), 0) AS zero_result_rate,
           count(*) FILTER (clicks > 0) / count(*) AS click_through_rate,
           avg(CASE WHEN clicks = 0 THEN 0 ELSE 1 / (first_click_position + 1) END) AS mean_reciprocal_rank,
           count(*) FILTER (is_carted) / count(*) AS cart_rate
    FROM fct_search_queries WHERE search_date BETWEEN $first AND $last AND term <> ''
    GROUP BY term
    HAVING $order <> 'empty' OR count(*) FILTER (result_count = 0) > 0
    ORDER BY CASE $order WHEN 'frequent' THEN count(*) WHEN 'worst' THEN count(*) FILTER (clicks = 0)
                         ELSE count(*) FILTER (result_count = 0) END DESC, term
    LIMIT $limit
"""
CANDIDATES = """
    SELECT word, synonym, source, searches, shoppers, products, sellers FROM mart_search__synonym_candidates
    ORDER BY shoppers DESC, sellers DESC, word, synonym, source LIMIT ?
"""
POPULAR = """
    SELECT term, searches, language FROM mart_search__popular
    ORDER BY searches DESC, term, language LIMIT ?
"""
