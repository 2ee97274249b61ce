{# Running windows. A trading day's figure enters every window when the day closes and leaves a window of N trading days
   when the N-th trading day after it closes. The running sum of both is exact at every instant, and there is a row only
   where something changes.

   `windows` is {N: {name: figure}}: `name` is the figure's sum over the last N trading days. `totals` is
   {name: figure}: its sum over all days. `days` has the columns day_no, closes_at and the figures. #}

{# The names of all sums. #}
{% macro sum_names(windows, totals={}) %}
    {%- set names = [] -%}
    {%- for figures in windows.values() -%}{%- do names.extend(figures) -%}{%- endfor -%}
    {{ return(names + (totals | list)) }}
{% endmacro %}

{# Columns of a row of `days`: its figures enter at closes_at. #}
{% macro entering(windows, totals={}) -%}
    {%- set columns = [] -%}
    {%- for figures in (windows.values() | list) + [totals] -%}
        {%- for name, figure in figures.items() -%}{%- do columns.append(figure ~ ' as ' ~ name) -%}{%- endfor -%}
    {%- endfor -%}
    {{ columns | join(', ') }}
{%- endmacro %}

{# Rows of `days` at the instant they leave each window. What leaves after the newest trading day has not left yet. #}
{% macro leaving(days, key, windows) %}
    {%- for window, figures in windows.items() %}
    union all by name
    select
        past.{{ key }},
        trading.closes_at{% for name, figure in figures.items() %},
        -past.{{ figure }} as {{ name }}{% endfor %}
    from {{ days }} as past
    inner join {{ ref('int_trading__days') }} as trading on trading.day_no = past.day_no + {{ window }}
    {%- endfor %}
{% endmacro %}

{# Distinct partners in a window of N trading days: each purchase counts from its day's close until the window's end or
   the pair's next purchase. #}
{% macro distinct_partners(pairs, key, name, window) %}
    union all by name
    select {{ key }}, closes_at, 1 as {{ name }}
    from {{ pairs }}
    union all by name
    select pair.{{ key }}, coalesce(
        case when pair.next_day_no <= pair.day_no + {{ window }} then pair.next_closes_at end, trading.closes_at
    ) as closes_at, -1 as {{ name }}
    from {{ pairs }} as pair
    left join {{ ref('int_trading__days') }} as trading on trading.day_no = pair.day_no + {{ window }}
    where pair.next_day_no <= pair.day_no + {{ window }} or trading.day_no is not null
{% endmacro %}

{# All changes of one instant added up; then, over the window so_far, all changes up to it. #}
{% macro changes_of(names) -%}
    {% for name in names %}
        sum(coalesce({{ name }}, 0)) as {{ name }},
    {%- endfor %}
{%- endmacro %}

{% macro running(names) -%}
    {% for name in names %}
    sum({{ name }}) over so_far as {{ name }},
    {%- endfor %}
{%- endmacro %}
