{# An amount in another currency, to the cent, half away from zero; null without a rate. #}
{% macro converted(amount, currency, target, rate) -%}
    case
        when {{ currency }} = {{ target }} then cast({{ amount }} as decimal(18, 2))
        else cast(round({{ amount }} * {{ rate }}, 2) as decimal(18, 2))
    end
{%- endmacro %}

{# The newest rate of a pair on a day or before it. Null when there is none; the row stays. #}
{% macro join_rate(currency, target, day) -%}
    asof left join {{ ref('int_rates__dated') }} as rate
        on rate.from_currency = {{ currency }} and rate.to_currency = {{ target }} and {{ day }} >= rate.day
{%- endmacro %}
