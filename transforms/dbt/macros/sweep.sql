{# Sweep over time: a trading day's figure enters every window when the day closes and leaves a window of N trading days when the N-th
   trading day after it closes. Running sums of both give exact windows at every instant at which something changes, and rows only there. #}

{# Rows of `days` (day_no, closes_at, figures) at the instant they leave a window of `window` trading days. Nothing leaves in the future. #}
{% macro leaving(days, key, window, figures) %}
    select
        past.{{ key }},
        trading.closes_at{% for name, expression in figures.items() %},
        -({{ expression }}) as {{ name }}{% endfor %}
    from {{ days }} as past
    inner join {{ ref('int_trading__days') }} as trading on trading.day_no = past.day_no + {{ window }}
{% endmacro %}

{# Distinct partners in a window: each purchase counts from its day's close until the window's end or the pair's next purchase. #}
{% macro distinct_entering(pairs, key, name) %}
    select {{ key }}, closes_at, 1 as {{ name }}
    from {{ pairs }}
{% endmacro %}

{% macro distinct_leaving(pairs, key, name, window) %}
    select pair.{{ key }}, coalesce(
        case when pair.next_day_no <= pair.day_no + {{ window }} then pair.next_closes_at end, trading.closes_at
    ) as closes_at, -1 as {{ name }}
    from {{ pairs }} as pair
    left join {{ ref('int_trading__days') }} as trading on trading.day_no = pair.day_no + {{ window }}
    where pair.next_day_no <= pair.day_no + {{ window }} or trading.day_no is not null
{% endmacro %}
