"""Which units of a parcel a seller means: a pure rule on its lines."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from api.kernel.errors import FieldError
from api.orders.errors import NotInParcel
from api.orders.parcels.schemas import ParcelLine
from api.orders.returns.returnable import OrderLine


def units_of(request: Sequence[ParcelLine] | None, inside: Mapping[UUID, OrderLine]) -> dict[UUID, int]:
    """Line -> units, of the lines `inside` the parcel; without a request all that is still to be sent.

    Raises: NotInParcel, which names every entry that is wrong.
    """
    if request is None:
        return {item_id: line.returnable for item_id, line in inside.items() if line.returnable}
    errors = []
    for index, entry in enumerate(request):
        line = inside.get(entry.order_item_id)
        if line is None:
            message = "the parcel has no line with this id"
            errors.append(FieldError(pointer=f"/lines/{index}/orderItemId", message=message))
        elif entry.quantity > line.returnable:
            message = f"{line.returnable} of this line are to be sent"
            errors.append(FieldError(pointer=f"/lines/{index}/quantity", message=message))
    if errors:
        raise NotInParcel("Correct or remove the entries named in `errors`.", errors=errors)
    return {entry.order_item_id: entry.quantity for entry in request}
