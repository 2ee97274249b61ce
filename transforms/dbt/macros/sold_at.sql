{# When a line was sold: with its order, or by the edit that added it later. #}
{% macro sold_at(line, placed) -%}
    case when {{ line }}.edit_id is null then {{ placed }}.created_at else {{ line }}.created_at end
{%- endmacro %}
