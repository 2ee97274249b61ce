"""The body of a product's restrictions."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from api.delivery.places import country_code
from api.kernel.schemas import Wire
from api.kernel.texts import OneLine


def _code(value: str) -> str:
    code = country_code(value)
    if code is None:
        raise ValueError("must be a country by its ISO 3166 code, such as DE")
    return code


def _each_once(value: list[str]) -> list[str]:
    return sorted(set(value))


Country = Annotated[OneLine, Field(min_length=2, max_length=60, examples=["DE"]), AfterValidator(_code)]
Countries = Annotated[list[Country], Field(max_length=300), AfterValidator(_each_once)]


class Restrictions(Wire):
    """`minAge`: buyers are so old, in years. `allowedCountries`: it is sold there alone; `deniedCountries`: everywhere
    but there. An empty list says nothing."""

    min_age: Annotated[int, Field(ge=1, le=99, examples=[18])] | None = None
    allowed_countries: Countries = Field(default_factory=list)
    denied_countries: Countries = Field(default_factory=list)

    @field_validator("denied_countries", mode="after")
    @classmethod
    def _is_alone(cls, value: list[str], known: ValidationInfo) -> list[str]:
        if value and known.data.get("allowed_countries"):
            raise ValueError("send allowedCountries or deniedCountries, not both")
        return value

    def stored(self) -> dict[str, Any] | None:  # Any: JSON
        """What says something; None where nothing is restricted."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True) or None
