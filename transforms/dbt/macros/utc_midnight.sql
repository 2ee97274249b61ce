{# The instant at which a UTC calendar day begins. #}
{% macro utc_midnight(day) -%}
    cast({{ day }} as timestamp) at time zone 'UTC'
{%- endmacro %}
