"""Why an order was not placed."""

from decimal import Decimal

from api.kernel.errors import Conflict, FieldError, Problem, Unavailable, ValidationFailed


class OutOfStock(Conflict):
    """`items` in the document: variantId, requested, available."""

    title, code = "Not enough stock", "out-of-stock"


class TotalChanged(Conflict):
    """`total` in the document: what it costs now."""

    title, code = "The total has changed", "total-changed"

    def __init__(self, detail: str, total: Decimal) -> None:
        error = FieldError(pointer="/expectedTotal", message=f"it costs {total} now")
        super().__init__(detail, errors=[error], extra={"total": float(total)})


class CouponNotApplied(Conflict):
    """`coupons` in the document: the codes that take nothing off, each with its `reason`; `total`: without them. An
    order that expects that total is placed."""

    title, code = "A code is not applied", "coupon-not-applied"


class CartBeingOrdered(Conflict):
    """Another request is ordering this cart; it ends within a minute, and then the cart may be ordered again."""

    title, code = "This cart is being ordered", "cart-being-ordered"


class CartOrdered(Conflict):
    """`orderId` and `orderNumber` in the document: the order that took what was in the cart."""

    title, code = "This cart was ordered", "cart-ordered"


class CartChanging(Conflict):
    title, code = "The cart changes while it is ordered", "cart-changing"


class PaymentDeclined(Problem):
    status, title, code = 402, "The payment was declined", "payment-declined"


class NotOrderable(ValidationFailed):
    title, code = "These items cannot be ordered", "not-orderable"


class GuestDetailsMissing(ValidationFailed):
    title, code = "A guest needs an e-mail address and a session", "guest-details-missing"


class CartEmpty(ValidationFailed):
    title, code = "There is nothing to order", "cart-empty"


class AddressUnknown(ValidationFailed):
    title, code = "The address is not yours or does not exist", "address-unknown"


class SpeedNotOffered(ValidationFailed):
    """`offered` in the document: the speeds that can be had, each with its fee and its days; none where nothing is
    sent."""

    title, code = "This delivery speed is not offered", "speed-not-offered"


class PaymentUnavailable(Unavailable):
    title, code = "The payment provider does not answer", "payment-unavailable"


class OrderPending(Unavailable):
    """The order is stored and being completed; a repeat with the same key returns the answer."""

    title, code = "Your order is being completed", "order-pending"
