"""Bodies of requests and answers about the attributes of a category."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from api.catalog.attributes.values import AttributeType
from api.catalog.languages.schemas import EachOnce
from api.catalog.schemas import Breadcrumb
from api.kernel.languages import MOST_LANGUAGES, LanguageTag
from api.kernel.schemas import Wire
from api.kernel.texts import OneLine


def _is_a_name(value: str) -> str:
    if any(character in value for character in ':,"='):
        raise ValueError('must hold none of the characters : , " =, which filters use')
    return value


AttributeName = Annotated[OneLine, Field(min_length=1, max_length=50, examples=["storage"]), AfterValidator(_is_a_name)]


Label = Annotated[OneLine, Field(min_length=1, max_length=100, examples=["Storage"])]
Labels = Annotated[dict[LanguageTag, Label], Field(max_length=MOST_LANGUAGES, examples=[{"de": "Speicher"}]), EachOnce]


class AttributeIn(Wire):
    """`unit` is for numbers, `allowedValues` for enums. Values of a `variantAxis` tell variants apart. `label` is in
    the shop's own language, `labels` in others."""

    name: AttributeName
    label: Label
    labels: Labels = Field(default_factory=dict)
    type: AttributeType
    unit: Annotated[OneLine, Field(min_length=1, max_length=20, examples=["GB"])] | None = None
    allowed_values: Annotated[list[Annotated[OneLine, Field(min_length=1, max_length=200)]], Field(max_length=500)] = (
        Field(default_factory=list)
    )
    required: bool = False
    variant_axis: bool = False
    facet: bool = False

    @field_validator("unit", mode="after")
    @classmethod
    def _is_of_a_number(cls, value: str | None, known: ValidationInfo) -> str | None:
        if value is not None and known.data.get("type") not in {"number", None}:
            raise ValueError("only a number has a unit")
        return value

    @field_validator("allowed_values", mode="after")
    @classmethod
    def _are_of_an_enum(cls, value: list[str], known: ValidationInfo) -> list[str]:
        if known.data.get("type") not in {"enum", None} and value:
            raise ValueError("only an enum has allowed values")
        if len(set(value)) != len(value):
            raise ValueError("must hold each value once")
        return value


class AttributesIn(Wire):
    """All that the category itself defines; what is inherited is not among them."""

    attributes: Annotated[list[AttributeIn], Field(max_length=100)]


class Attribute(Wire):
    """A definition that counts in the category. `inherited`: `definedIn` is above it. `label` is in the reader's
    language, or in `labelLanguage`; `labels`: in other languages than the shop's."""

    name: str
    label: str
    label_language: str | None
    labels: dict[str, str]
    type: AttributeType
    unit: str | None
    allowed_values: list[str]
    required: bool
    variant_axis: bool
    facet: bool
    defined_in: Breadcrumb
    inherited: bool


class CategoryAttributes(Wire):
    """`searchNames`: those that some product on sale has, as `attr.NAME` of a search's filters takes them."""

    category_id: UUID
    attributes: list[Attribute]
    search_names: list[str]
