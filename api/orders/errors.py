"""Why an order cannot be shown or changed."""

from api.kernel.errors import Conflict, FieldError, NotFound, ValidationFailed


class OrderNotFound(NotFound):
    """Also for other people's orders, so that their existence is not revealed."""

    title, code = "No such order", "order-not-found"

    def __init__(self) -> None:
        super().__init__("There is no such order among yours.")


class ParcelNotFound(NotFound):
    """Also for other sellers' parcels, so that their existence is not revealed."""

    title, code = "No such parcel", "parcel-not-found"

    def __init__(self) -> None:
        super().__init__("There is no such parcel among yours.")


class NotInParcel(ValidationFailed):
    title, code = "The parcel does not hold these units", "not-in-parcel"


class OthersNotReady(Conflict):
    """`parcels` in the document: the numbers of those that are not begun."""

    title, code = "The buyer wants these parcels together", "others-not-ready"


class NothingStays(Conflict):
    title, code = "Nothing would stay in the parcel", "nothing-stays"

    def __init__(self) -> None:
        super().__init__("Leave at least one unit that is still to be sent in it, or send the parcel as it is.")


class InvoiceNotFound(NotFound):
    """Also for other people's documents, so that their existence is not revealed."""

    title, code = "No such invoice", "invoice-not-found"

    def __init__(self) -> None:
        super().__init__("The order has no document of this number that you may see; GET /orders/{orderId}/invoices.")


class ImpossibleMove(Conflict):
    """`orderStatus` in the document: the order's current state; `parcelStatus`: the parcel's, when one was to move."""

    title, code = "The order cannot do that now", "order-state"


def delivered_online(status: str) -> ImpossibleMove:
    """The refusal of whatever is done to a parcel that is sent."""
    words = "It is delivered online: the shop does that when it is paid, and nobody sends it."
    return ImpossibleMove(words, extra={"parcelStatus": status})


class StillBeingPlaced(Conflict):
    title, code = "The order is still being placed", "order-still-being-placed"

    def __init__(self) -> None:
        super().__init__("Its payment is being taken; try again in a few seconds.", headers={"Retry-After": "2"})


class OrderBeingEdited(Conflict):
    title, code = "The order is being changed", "order-being-edited"

    def __init__(self) -> None:
        super().__init__(
            "Its buyer is paying for a change of it, or for an exchange; try again in a few seconds.",
            headers={"Retry-After": "2"},
        )


class LineNotFound(NotFound):
    title, code = "No such line in the order", "order-line-not-found"

    def __init__(self) -> None:
        super().__init__("The order has no line with this id; GET the order for its lines.")


class NotCancellable(ValidationFailed):
    title, code = "So many units cannot be cancelled", "not-cancellable"


class LastUnits(Conflict):
    title, code = "These are the last units of the order", "last-units"

    def __init__(self) -> None:
        super().__init__("Cancel the whole order instead: POST /orders/{orderId}/cancel.")


class ReturnWindowClosed(Conflict):
    """`closedAt` in the document: until when the first of these items could be returned."""

    title, code = "These items can no longer be returned", "return-window-closed"


class ReturnNotFound(NotFound):
    title, code = "No such return", "return-not-found"

    def __init__(self) -> None:
        super().__init__("The order has no return with this id; GET the order for its returns.")


class ReturnDecided(Conflict):
    """`returnStatus` in the document."""

    title, code = "The return is decided already", "return-decided"


class FeeTooHigh(ValidationFailed):
    title, code = "The fee is higher than the refund policy allows", "fee-too-high"


class RefundTooHigh(ValidationFailed):
    """`refundable` in the document: per line what is left of its goods and tax, and of what sending it cost."""

    title, code = "The refund is more than what is left", "refund-too-high"


class ClaimRefused(ValidationFailed):
    """One wording for an unknown, used, expired and foreign code, so that nothing is learned from it."""

    title, code = "The code cannot be used", "claim-refused"

    def __init__(self) -> None:
        super().__init__(
            "It is unknown, used, expired or for another account. Ask for a new one: POST /orders/claim-requests.",
            errors=[FieldError(pointer="/token", message="cannot be used")],
        )


class NotReturnable(ValidationFailed):
    title, code = "These items cannot be returned", "not-returnable"
