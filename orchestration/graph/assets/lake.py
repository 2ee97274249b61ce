"""Group `warehouse`: one asset per table of the lake.

CDC writes the tables continuously. This step waits for CDC and records each table's rows, version and log position.
"""

from collections.abc import Iterator

import dagster as dg

from orchestration.graph.code_version import version_of
from orchestration.graph.lake_position import reach_source
from orchestration.graph.metadata import Materialized, Metadata
from orchestration.graph.resources import Platform
from orchestration.settings import ROOT
from warehouse.contract import load_contract
from warehouse.settings import WarehouseSettings


def lake_tables() -> tuple[str, ...]:
    """Names of the published tables, from the contract file in the repository."""
    return tuple(table.name for table in load_contract(WarehouseSettings().contract_path).tables)


_SPECS = [
    dg.AssetSpec(
        name,
        group_name="warehouse",
        owners=["team:data"],
        kinds={"deltalake", "postgres"},
        tags={"layer": "lake"},
        description=(
            f"The shop's table {name}, exact at the lake's watermark. Written by the cdc process, never by a run."
        ),
        code_version=version_of(WarehouseSettings().contract_path, ROOT / "warehouse/cdc", ROOT / "warehouse/lake"),
    )
    for name in lake_tables()
]


@dg.multi_asset(name="lake", specs=_SPECS, can_subset=True)
def lake(context: dg.AssetExecutionContext, platform: Platform) -> Iterator[Materialized]:
    """Wait until the lake holds everything the shop has committed; report each table's rows, version and log
    position."""
    position = reach_source(platform.warehouse)
    mark = position.watermark
    for name in sorted(key.to_user_string() for key in context.selected_asset_keys):
        version = mark.versions[name]
        metadata: Metadata = {
            "dagster/row_count": position.rows[name],
            "lsn": mark.lsn,
            "lsn_text": mark.lsn_text,
            "commit_ts": mark.commit_ts.isoformat(),
            "changes_version": version.changes,
            "current_version": version.current,
            "waited_seconds": position.waited_seconds,
        }
        yield dg.MaterializeResult(asset_key=name, metadata=metadata)
