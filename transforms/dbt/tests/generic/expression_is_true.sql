{# Fails for each row on which the expression is false; null passes, as in a CHECK. #}
{% test expression_is_true(model, expression, column_name=none) %}
select *
from {{ model }}
where not ({{ column_name if column_name else '' }} {{ expression }})
{% endtest %}
