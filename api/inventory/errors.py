"""Why stock cannot be shown or changed."""

from api.kernel.errors import Conflict, FieldError, NotFound, PreconditionFailed, ValidationFailed


class VariantNotFound(NotFound):
    """Also for other sellers' variants."""

    title, code = "No such variant", "variant-not-found"

    def __init__(self) -> None:
        super().__init__("There is no such variant among your products.")


class KitHasNoStock(ValidationFailed):
    title, code = "A kit has no stock of its own", "kit-has-no-stock"

    def __init__(self, pointer: str) -> None:
        error = FieldError(pointer=pointer, message="is a kit: book its components")
        super().__init__("There are as many of a kit as of what it is made of.", errors=[error])


class WarehouseNotFound(NotFound):
    title, code = "No such warehouse", "warehouse-not-found"

    def __init__(self) -> None:
        super().__init__("Use the id of an existing warehouse.")


class BelowZero(Conflict):
    """`available` in the document: the units that can be taken away."""

    title, code = "There are not so many units", "stock-below-zero"


class StockChanged(PreconditionFailed):
    """What is booked now in the document: `available` and `version` of a count, of a product `stock` by variant."""

    title, code = "The stock has changed since it was read", "stock-changed"


class UnitsOwed(Conflict):
    """`owed` in the document: the units that were sold there before they were there."""

    title, code = "Units are owed there", "units-owed"


class StockOfKeys(Conflict):
    """Of a digital product no stock is booked by hand."""

    title, code = "The stock is that of its keys", "stock-of-keys"


class SameWarehouse(ValidationFailed):
    title, code = "A transfer has two warehouses", "same-warehouse"


class ReplenishmentNotFound(NotFound):
    """Also for other sellers' replenishments."""

    title, code = "No such replenishment", "replenishment-not-found"

    def __init__(self) -> None:
        super().__init__("There is no such replenishment of your products.")


class ReplenishmentClosed(Conflict):
    """`open` in the document: the units that may still arrive."""

    title, code = "Not so many units are on their way", "replenishment-closed"

    def __init__(self, left: int) -> None:
        error = FieldError(pointer="/quantity", message=f"{left} are on their way")
        super().__init__("Receive at most what is still on its way.", errors=[error], extra={"open": left})
