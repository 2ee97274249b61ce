"""Errors of the cart."""

from api.kernel.errors import Conflict, NotFound, PreconditionFailed, Unavailable, ValidationFailed


class CartItemNotFound(NotFound):
    title, code = "No such line in the cart", "cart-item-not-found"


class CartFull(Conflict):
    title, code = "The cart is full", "cart-full"


class CartChanged(PreconditionFailed):
    """Another device changed the cart after the version named in If-Match."""

    title, code = "The cart changed in the meantime", "cart-changed"


class QuantityTooLarge(ValidationFailed):
    title, code = "Too many of one thing", "quantity-too-large"


class TooManyStreams(Unavailable):
    title, code = "Too many streams are open", "too-many-streams"
