"""Bodies of what was delivered online."""

from api.kernel.schemas import Wire, WireId
from api.orders.downloads.schemas import Download


class DeliveredLine(Wire):
    """What the buyer has of a line: a key for each unit, or a file."""

    order_item_id: WireId
    title: str
    keys: list[str]
    download: Download | None


class DigitalGoods(Wire):
    """The lines of an order that were delivered online; none while it is not paid."""

    order_id: WireId
    lines: list[DeliveredLine]
