"""Values that earlier steps recorded in Dagster: figures of assets, and the watermark of the run.

The jobs, dbt and the checks read at that watermark, so they see one state of the shop.
"""

import dagster as dg

from orchestration.graph.resources import Platform
from transforms.lake import newest_watermark
from warehouse.lake.watermark import LakeStateError, Watermark, watermark_at

_RECORDED_ON = dg.AssetKey("orders")


def recorded_watermark(instance: dg.DagsterInstance, platform: Platform) -> Watermark:
    """The watermark of the last lake step if the lake still has it, else the newest one.

    Raises: LakeNotReady for an empty lake.
    """
    newest = newest_watermark(platform.warehouse.lake_uri)
    event = instance.get_latest_materialization_event(_RECORDED_ON)
    if event is None or event.asset_materialization is None:
        return newest
    value = event.asset_materialization.metadata["lsn"].value
    try:
        return watermark_at(platform.warehouse.lake_uri, int(str(value)))
    except LakeStateError:
        return newest


def recorded_rows(instance: dg.DagsterInstance, asset: str) -> int:
    """Row count of an asset's latest materialization, 0 when there is none."""
    return int(recorded_number(instance, asset, "dagster/row_count"))


def recorded_number(instance: dg.DagsterInstance, asset: str, name: str) -> float:
    """A number from an asset's latest materialization, 0 when there is none."""
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    if event is None or event.asset_materialization is None or name not in event.asset_materialization.metadata:
        return 0.0
    return float(str(event.asset_materialization.metadata[name].value))
