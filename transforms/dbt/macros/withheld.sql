{# Whether rows of this order, product or seller are published. No name of the subquery may be one of `key`'s. #}
{% macro published_order(key) -%}
    {{ not_withheld(ref('int_withheld__orders'), 'order_id', key) }}
{%- endmacro %}

{% macro published_product(key) -%}
    {{ not_withheld(ref('int_withheld__products'), 'product_id', key) }}
{%- endmacro %}

{% macro published_seller(key) -%}
    not exists (
        select 1 from {{ ref('int_build__withheld') }} as withheld where withheld.kind = 'seller' and withheld.key = {{ key }}
    )
{%- endmacro %}

{% macro not_withheld(withheld, column, key) -%}
    not exists (
        select 1
        from (select {{ column }} as withheld_key from {{ withheld }}) as withheld
        where withheld.withheld_key = {{ key }}
    )
{%- endmacro %}
