"""Errors of reviews."""

from uuid import UUID

from api.kernel.errors import Conflict, Forbidden, NotFound, PreconditionFailed


class ReviewNotFound(NotFound):
    title, code = "No such review", "review-not-found"

    def __init__(self) -> None:
        super().__init__("There is no review with this id.")


class AlreadyReviewed(Conflict):
    """`reviewId` of the document: the review that is there."""

    title, code = "You have reviewed this product", "already-reviewed"

    def __init__(self, review_id: UUID) -> None:
        super().__init__("A member reviews a product once: edit that review.", extra={"reviewId": str(review_id)})


class ReviewChanged(PreconditionFailed):
    title, code = "The review has changed", "review-changed"

    def __init__(self) -> None:
        super().__init__("Read the review again, and send its entity tag in If-Match.")


class OwnReview(Forbidden):
    title, code = "This is your own review", "own-review"


class OwnProductReview(Forbidden):
    title, code = "This is your own product", "own-product-review"


class NotYourProduct(Forbidden):
    title, code = "This is another seller's product", "not-your-product"
