"""Bodies of requests and answers about what a shopper looked at."""

from api.catalog.schemas import ProductCard
from api.kernel.schemas import Wire


class RecentlyViewed(Wire):
    """The newest first, those that are on sale. `enabled` false: nothing is kept."""

    enabled: bool
    products: list[ProductCard]


class ViewingSettings(Wire):
    enabled: bool
