"""The body of a comparison."""

from pydantic import Field

from api.catalog.schemas import ProductCard
from api.kernel.schemas import Wire


class ComparedAttribute(Wire):
    """`values`: of each product in the order of `products`, null where it says nothing. Numbers are in `unit`, where
    the category defines one. `same`: all products say the same."""

    name: str
    label: str
    unit: str | None
    values: list[str | None] = Field(examples=[["256 GB", None]])
    same: bool


class Comparison(Wire):
    """First the attributes that the categories of the products define, then others by name."""

    products: list[ProductCard]
    attributes: list[ComparedAttribute]
