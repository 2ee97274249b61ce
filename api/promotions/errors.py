"""Errors of promotions."""

from collections.abc import Mapping

from api.kernel.errors import Conflict, FieldError, NotFound, ValidationFailed
from api.pricing.promotions import WORDS, Refusal


class PromotionNotFound(NotFound):
    title, code = "You have no such promotion", "promotion-not-found"

    def __init__(self) -> None:
        super().__init__("List your promotions to see them all.")


class CodeTaken(Conflict):
    """`codes` in the document: those that stand for another promotion."""

    title, code = "A code is taken", "code-taken"

    def __init__(self, taken: Mapping[str, str]) -> None:
        """`taken`: by their pointers."""
        errors = [FieldError(pointer=pointer, message="it stands for another promotion") for pointer in taken]
        super().__init__(
            "Choose other codes than those in `codes`.", errors=errors, extra={"codes": sorted(taken.values())}
        )


class LimitTooLow(Conflict):
    """`redeemed` in the document: how often the promotion was redeemed already."""

    title, code = "The limit is below what was redeemed", "limit-too-low"

    def __init__(self, redeemed: int) -> None:
        error = FieldError(pointer="/totalLimit", message=f"at least {redeemed}: so often it was redeemed")
        super().__init__("Set at least `redeemed`, or end the promotion.", errors=[error], extra={"redeemed": redeemed})


class PromotionNotValid(ValidationFailed):
    title, code = "This promotion is not valid", "promotion-not-valid"


class CodeNotUsable(ValidationFailed):
    """`reason` in the document: why not, in one of the words of a cart's `coupons`."""

    title, code = "This code cannot be used", "code-not-usable"

    def __init__(self, refusal: Refusal) -> None:
        error = FieldError(pointer="/code", message=WORDS[refusal])
        super().__init__("Use another code.", errors=[error], extra={"reason": refusal.value})


class TooManyCodes(Conflict):
    title, code = "The cart has as many codes as it may", "too-many-codes"


class NoSuchCoupon(NotFound):
    title, code = "The cart has no such code", "no-such-coupon"
