"""Why an edit is not over yet."""

from api.kernel.errors import Unavailable


class EditPending(Unavailable):
    """The payment has begun; a repeat with the same key returns the answer."""

    title, code = "The edit is being completed", "order-edit-pending"
