"""Errors of brands."""

from api.kernel.errors import NotFound


class BrandNotFound(NotFound):
    """A brand is there as long as something of it is on sale."""

    title, code = "No such brand", "brand-not-found"

    def __init__(self) -> None:
        super().__init__("GET /brands lists all.")
