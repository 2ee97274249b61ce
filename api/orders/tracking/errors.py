"""Why a scan is not taken, or a parcel not shown."""

from api.kernel.errors import Conflict, NotFound


class ScanReused(Conflict):
    """`eventIds` in the document."""

    title, code = "An event with this id was sent before, and said something else", "scan-reused"


class TrackingNotFound(NotFound):
    title, code = "No such tracking link", "tracking-not-found"

    def __init__(self) -> None:
        super().__init__("Take the link from your order, whole.")
