"""The lake as builds and refreshes find it."""

from transforms.errors import LakeNotReady
from warehouse.lake.read import Watermark, latest_watermark


def newest_watermark(lake_uri: str) -> Watermark:
    """The lake's newest watermark. Raises LakeNotReady before the first."""
    found = latest_watermark(lake_uri)
    if found is None:
        raise LakeNotReady(f"the lake at {lake_uri} has no watermark yet: is `python -m warehouse.cdc` running?")
    return found
