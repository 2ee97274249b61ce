"""Why a carrier cannot be asked, or is not believed."""

from collections.abc import Sequence

from api.kernel.errors import FieldError, NotFound, Problem, ValidationFailed


class CarrierNotFound(NotFound):
    title, code = "No such carrier", "carrier-not-found"

    def __init__(self, known: Sequence[str]) -> None:
        super().__init__(f"The shop works with {', '.join(sorted(known))}.")


class UnknownCarrier(ValidationFailed):
    """The same, for a carrier that a body names."""

    title, code = "The shop does not work with this carrier", "carrier-unknown"

    def __init__(self, known: Sequence[str]) -> None:
        names = ", ".join(sorted(known))
        super().__init__(
            f"Choose one of {names}; a label of another carrier is bought there, and named when the parcel is shipped.",
            errors=[FieldError(pointer="/carrier", message=f"must be one of {names}")],
        )


class WebhookRefused(Problem):
    """The message is not the carrier's, or it is too old: nothing of it was taken."""

    status, title, code = 401, "The message is not signed by the carrier", "webhook-refused"
