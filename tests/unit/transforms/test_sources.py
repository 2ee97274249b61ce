"""dbt's sources are the contract of the published tables and nothing else."""

from tests.harness.synthetic_lake import CONTRACT
from transforms.sources import render
from warehouse.contract import load_contract


def test_every_published_column_is_a_source_column() -> None:
    text = render(load_contract(CONTRACT))

    assert "      - name: orders\n" in text
    assert '          - {name: total, data_type: "DECIMAL(12,2)", description: "numeric [currency]"}\n' in text
