"""Bodies of brand pages."""

from api.catalog.schemas import ProductList
from api.kernel.pagination import Pagination
from api.kernel.schemas import Wire


class BrandCard(Wire):
    """`slug` is the brand in an address, whatever way sellers spell it."""

    slug: str
    name: str
    product_count: int


class BrandList(Wire):
    brands: list[BrandCard]
    pagination: Pagination


class BrandPage(BrandCard):
    """`spellings`: as sellers write it, the most frequent first."""

    spellings: list[str]
    listing: ProductList
