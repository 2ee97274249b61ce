{# A column whose text may be about a person: that there is a text, never the text. #}
{% macro masked(column) -%}
    case when {{ column }} is not null then '***' end as {{ column }}
{%- endmacro %}
