{# The UTC calendar day of an instant, whatever the session's time zone is. #}
{% macro utc_day(instant) -%}
    cast({{ instant }} at time zone 'UTC' as date)
{%- endmacro %}
