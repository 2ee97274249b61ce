{# Fails for each combination of columns that occurs more than once: the grain of a model. #}
{% test unique_together(model, columns) %}
select {{ columns | join(', ') }}, count(*) as occurrences
from {{ model }}
group by all
having count(*) > 1
{% endtest %}
