{# Whether rows of this order, product or seller are published. No name of the subquery may be one of `key`'s. #}
{% macro published(kind, key) -%}
    {%- if kind == 'seller' -%}
    not exists (
        select 1 from {{ ref('int_build__withheld') }} as withheld where withheld.kind = 'seller' and withheld.key = {{ key }}
    )
    {%- else -%}
    not exists (
        select 1
        from (select {{ kind }}_id as withheld_key from {{ ref('int_withheld__' ~ kind ~ 's') }}) as withheld
        where withheld.withheld_key = {{ key }}
    )
    {%- endif -%}
{%- endmacro %}
