"""dbt's sources, rendered from the contract of the published tables. `python -m transforms.sources` rewrites the
file."""

import json
from pathlib import Path

from transforms.settings import PACKAGE, TransformSettings
from warehouse.contract import Contract, load_contract

PATH = PACKAGE / "dbt" / "models" / "staging" / "_sources.yml"
_HEAD = """\
# Written by `python -m transforms.sources` from warehouse/contracts/oltp.json. Do not edit.
version: 2

sources:
  - name: build
    description: What the build itself knows.
    tables:
      - name: watermark
        description: One row - the lake's watermark and the time the build began.
        columns:
          - {name: lsn, description: Postgres LSN as a number}
          - {name: lsn_text, description: The same LSN as Postgres prints it}
          - {name: as_of, description: Commit time of the newest transaction inside}
          - {name: built_at, description: When the build began}
  - name: lake
    description: Exact state of each published table at one watermark of the lake, as views over Parquet.
    tables:
"""


def render(contract: Contract) -> str:
    """The yml text: every published table with its columns, types and keys."""
    lines: list[str] = []
    for table in contract.tables:
        lines.append(f"      - name: {table.name}")
        lines.append(
            "        description:"
            f" {json.dumps('The shop table ' + table.name + '; key ' + ', '.join(table.primary_key))}"
        )
        lines.append("        columns:")
        for column in table.columns:
            unit = f" [{column.unit}]" if column.unit else ""
            fields = (
                f"name: {column.name}, data_type: {json.dumps(column.duckdb)}, description:"
                f" {json.dumps(column.type + unit)}"
            )
            lines.append(f"          - {{{fields}}}")
    return _HEAD + "\n".join(lines) + "\n"


def write(path: Path = PATH) -> None:
    path.write_text(render(load_contract(TransformSettings().souk_contract_path)), encoding="utf-8")


if __name__ == "__main__":
    write()
