"""A product feed: `metadata.json`, and one product in each line of `products.jsonl`."""

from typing import Annotated

from pydantic import Field, model_validator

from tests.harness.agents.forms import Form, Minor, Text, Time, Url


class Description(Form):
    plain: str | None = None
    html: str | None = None
    markdown: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Description":
        if not self.model_fields_set:
            raise ValueError("at least one of the forms")
        return self


class Price(Form):
    amount: Minor
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class Availability(Form):
    available: bool
    status: Text


class Barcode(Form):
    type: Text
    value: Text


class Media(Form):
    type: Text
    url: Url
    alt_text: str | None = None
    width: int | None = None
    height: int | None = None


class VariantOption(Form):
    name: Text
    value: str


class Category(Form):
    value: Text
    taxonomy: Text | None = None


class Link(Form):
    type: Text
    url: Url
    title: str | None = None


class Seller(Form):
    name: Text | None = None
    links: list[Link] | None = None


class Measure(Form):
    value: float
    unit: Text


class UnitPrice(Price):
    measure: Measure
    reference: Measure


class FeedVariant(Form):
    id: Text
    title: Text
    description: Description | None = None
    url: Url | None = None
    barcodes: list[Barcode] | None = None
    price: Price | None = None
    list_price: Price | None = None
    unit_price: UnitPrice | None = None
    availability: Availability | None = None
    categories: list[Category] | None = None
    condition: list[Text] | None = None
    variant_options: list[VariantOption] | None = None
    media: list[Media] | None = None
    seller: Seller | None = None
    marketplace: Seller | None = None


class FeedProduct(Form):
    id: Text
    variants: list[FeedVariant]
    title: Text | None = None
    description: Description | None = None
    url: Url | None = None
    media: list[Media] | None = None


class FeedMetadata(Form):
    id: Text
    target_country: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    updated_at: Time | None = None
