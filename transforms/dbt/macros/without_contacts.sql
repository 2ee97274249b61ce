{# A text that people type to search: "***" when it holds an e-mail address, a telephone or a card number. A plain row of
   digits stays, because barcodes are searched for. #}
{% macro without_contacts(column) -%}
    case
        when regexp_matches({{ column }}, '\S@\S|\+[0-9][0-9 ()-]{6,}|[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}') then '***'
        else {{ column }}
    end as {{ column }}
{%- endmacro %}
