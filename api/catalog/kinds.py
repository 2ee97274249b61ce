"""Kinds of products: what is sent, what is delivered online, and kits of other products."""

from api.catalog.schemas import Kind
from api.kernel.errors import FieldError, ValidationFailed

# Those that are sold.
SOLD: frozenset[Kind] = frozenset({"physical", "digital", "kit"})


def require_kind(kind: Kind, before: Kind | None) -> None:
    """A product is of one kind for ever: who ordered it relies on how it is delivered. `before` None: it is new.

    Raises: ValidationFailed.
    """
    if before is None and kind not in SOLD:
        error = FieldError(pointer="/kind", message=f"is one of {', '.join(sorted(SOLD))}")
        raise ValidationFailed("Products of this kind are not sold here.", errors=[error])
    if before is not None and kind != before:
        error = FieldError(pointer="/kind", message=f"is {before} for ever: send that")
        raise ValidationFailed("Offer another product of the other kind.", errors=[error])
