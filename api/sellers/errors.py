"""Errors of stores."""

from api.kernel.errors import NotFound


class SellerNotFound(NotFound):
    title, code = "No such seller", "seller-not-found"

    def __init__(self) -> None:
        super().__init__("There is no seller with this id.")
