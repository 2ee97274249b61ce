"""Why a label is not bought, shown or given back."""

from api.kernel.errors import Conflict, NotFound, Unavailable


class NoLabel(NotFound):
    title, code = "The parcel has no label", "label-not-found"

    def __init__(self) -> None:
        super().__init__("Buy one: POST /sellers/me/parcels/{parcelId}/label.")


class HasLabel(Conflict):
    """`labelStatus` in the document: `bought`, or `asked` and `cancelling` while the carrier is being asked."""

    title, code = "The parcel has a label", "label-exists"


class LabelRefused(Conflict):
    """`carrierCode` in the document: the carrier's own word for the reason."""

    title, code = "The carrier refused", "label-refused"


class LabelClosed(Conflict):
    title, code = "The label is not shown any more", "label-closed"

    def __init__(self) -> None:
        super().__init__("It has the buyer's address, which is shown while the parcel is under way.")


class CarrierSilent(Unavailable):
    """The carrier did not answer in time."""

    title, code = "The carrier does not answer", "carrier-silent"
