"""Errors of brands."""

from api.kernel.errors import NotFound, Unavailable


class BrandNotFound(NotFound):
    """A brand is there as long as something of it is on sale."""

    title, code = "No such brand", "brand-not-found"

    def __init__(self) -> None:
        super().__init__("GET /brands lists all.")


class BrandsNotCounted(Unavailable):
    """The search index, which has their counts, is being built for the first time."""

    title, code = "Brands are being counted for the first time", "brands-not-counted"
