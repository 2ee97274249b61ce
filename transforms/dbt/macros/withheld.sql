{# Whether rows of this order, product or seller are published: none of them failed a data test. #}
{% macro published(kind, key) -%}
    not exists (
        select 1 from {{ ref('int_build__withheld') }} as withheld where withheld.kind = '{{ kind }}' and withheld.key = {{ key }}
    )
{%- endmacro %}
