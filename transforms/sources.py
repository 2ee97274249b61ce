"""dbt's sources, rendered from the contract of the published tables by `make generate`."""

import json

from warehouse.contract import Contract

_HEAD = """\
# Written by `make generate` from warehouse/contracts/oltp.json. Do not edit.
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
      - name: withheld
        description: Keys whose rows failed a data test of this build - they are left out of every mart and feature.
        columns:
          - {name: kind, description: "order, product or seller"}
          - {name: key, description: Its id}
          - {name: rule, description: What its rows break}
          - {name: since, description: When a build withheld it first}
      - name: corrections
        description: What changed a seller's UTC day after a publication that had the whole day, cancellations apart.
        columns:
          - {name: seller_id, data_type: "VARCHAR", description: The seller}
          - {name: order_date, data_type: "DATE", description: UTC day that changed}
          - {name: currency, data_type: "VARCHAR", description: ISO 4217 code of amount}
          - {name: corrected_on, data_type: "DATE", description: UTC day of the publication with the change}
          - {name: cause, data_type: "VARCHAR", description: "withheld, mended, corrected or redefined"}
          - {name: amount, data_type: "DECIMAL(18,2)", description: "Change of net_sales [currency]"}
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
            personal = f", personal: {column.personal}" if column.personal else ""
            fields = (
                f"name: {column.name}, data_type: {json.dumps(column.duckdb)}, description:"
                f" {json.dumps(column.type + unit + personal)}"
            )
            lines.append(f"          - {{{fields}}}")
    return _HEAD + "\n".join(lines) + "\n"
