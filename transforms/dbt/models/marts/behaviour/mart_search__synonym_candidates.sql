-- From the log: what is left of a search without a click and of the one that helped when their common words are taken
-- away, one or two words each. What is only spelled otherwise - two edits, or longer at its end - is for the corrections
-- of the search itself. From the catalog: titles that say both, as `sofa / couch` or `television (tv)`.
with reformulated as (

    select
        visitor_id,
        array_to_string(list_filter(string_split(term, ' '), lambda one: not list_contains(string_split(later_term, ' '), one)), ' ') as word,
        array_to_string(list_filter(string_split(later_term, ' '), lambda one: not list_contains(string_split(term, ' '), one)), ' ') as synonym
    from {{ ref('int_search__reformulations') }}

),

searched as (

    select word, synonym, count(*) as searches, count(distinct visitor_id) as shoppers
    from reformulated
    where
        word <> ''
        and synonym <> ''
        and length(word) - length(replace(word, ' ', '')) < 2
        and length(synonym) - length(replace(synonym, ' ', '')) < 2
        and not regexp_matches(word || synonym, '[0-9]')
        and damerau_levenshtein(word, synonym) > 2
        and not starts_with(word, synonym)
        and not starts_with(synonym, word)
    group by word, synonym

),

titled as (

    select
        product_id,
        seller_id,
        unnest(regexp_extract_all(lower(title), '(\pL{2,})\s*(?:/\s*|\()(\pL{2,})', 1)) as word,
        unnest(regexp_extract_all(lower(title), '(\pL{2,})\s*(?:/\s*|\()(\pL{2,})', 2)) as synonym
    from {{ ref('int_products__joined') }}

),

printed as (

    select word, synonym, count(distinct product_id) as products, count(distinct seller_id) as sellers
    from titled
    where word <> synonym and not starts_with(word, synonym) and not starts_with(synonym, word)
    group by word, synonym

)

select word, synonym, 'log' as source, searches, shoppers, 0::bigint as products, 0::bigint as sellers
from searched
where shoppers >= 2
union all
select word, synonym, 'catalog' as source, 0::bigint, 0::bigint, products, sellers
from printed
where sellers >= 2
