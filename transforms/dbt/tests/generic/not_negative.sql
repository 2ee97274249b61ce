{# Fails for each row in which one of the columns is below zero; null passes. #}
{% test not_negative(model, columns) %}
select *
from {{ model }}
where {% for column in columns %}{{ column }} < 0{{ ' or ' if not loop.last }}{% endfor %}
{% endtest %}
