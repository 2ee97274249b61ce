"""Which watermark the steps of a run read: the one its lake step recorded, so that Spark, dbt and the checks see one
state of the shop."""

import dagster as dg

from orchestration.graph.resources import Platform
from transforms.errors import LakeNotReady
from warehouse.lake.watermark import LakeStateError, Watermark, watermark_at

_RECORDED_ON = dg.AssetKey("orders")


def recorded_cut(instance: dg.DagsterInstance, platform: Platform) -> Watermark:
    """The last recorded watermark while the lake still has it, else the newest. Raises LakeNotReady for an empty
    lake."""
    newest = platform.watermark()
    if newest is None:
        raise LakeNotReady(
            f"the lake at {platform.warehouse.lake_uri} has no watermark yet: is `python -m warehouse.cdc` running?"
        )
    event = instance.get_latest_materialization_event(_RECORDED_ON)
    if event is None or event.asset_materialization is None:
        return newest
    value = event.asset_materialization.metadata["lsn"].value
    try:
        return watermark_at(platform.warehouse.lake_uri, int(str(value)))
    except LakeStateError:
        return newest
