"""Why an order cannot be shown or changed."""

from api.kernel.errors import Conflict, NotFound, ValidationFailed


class OrderNotFound(NotFound):
    """Also for other people's orders, so that their existence is not revealed."""

    title, code = "No such order", "order-not-found"

    def __init__(self) -> None:
        super().__init__("There is no such order among yours.")


class ImpossibleMove(Conflict):
    """`orderStatus` in the document: the order's current state."""

    title, code = "The order cannot do that now", "order-state"


class StillBeingPlaced(Conflict):
    title, code = "The order is still being placed", "order-still-being-placed"

    def __init__(self) -> None:
        super().__init__("Its payment is being taken; try again in a few seconds.", headers={"Retry-After": "2"})


class NotReturnable(ValidationFailed):
    title, code = "These items cannot be returned", "not-returnable"
