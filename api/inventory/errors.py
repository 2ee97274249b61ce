"""Why stock cannot be shown or changed."""

from api.kernel.errors import Conflict, NotFound


class VariantNotFound(NotFound):
    """Also for other sellers' variants."""

    title, code = "No such variant", "variant-not-found"

    def __init__(self) -> None:
        super().__init__("There is no such variant among your products.")


class WarehouseNotFound(NotFound):
    title, code = "No such warehouse", "warehouse-not-found"

    def __init__(self) -> None:
        super().__init__("Use the id of an existing warehouse.")


class BelowZero(Conflict):
    """`available` in the document: the units that can be taken away."""

    title, code = "There are not so many units", "stock-below-zero"
