"""Why an order cannot be edited."""

from api.kernel.errors import Conflict, NotFound, ValidationFailed


class EditNotFound(NotFound):
    """Also for other people's edits, so that their existence is not revealed."""

    title, code = "No such edit", "order-edit-not-found"

    def __init__(self) -> None:
        super().__init__("The order has no edit with this id; stage it again with POST /orders/{orderId}/edits.")


class NotEditable(Conflict):
    """`orderStatus` in the document: the order's current state. `errors` names the lines that are being sent."""

    title, code = "The order can no longer be changed like this", "order-not-editable"


class OrderChanged(Conflict):
    title, code = "The order has changed", "order-changed"

    def __init__(self) -> None:
        super().__init__("It is not the order any more for which this edit was priced; look at it and stage it again.")


class EditOver(Conflict):
    """`point` in the document: what became of the edit."""

    title, code = "The edit is over", "order-edit-over"


class NothingToChange(ValidationFailed):
    title, code = "The edit changes nothing", "nothing-to-change"
