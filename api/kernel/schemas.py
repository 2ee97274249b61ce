"""The base of all request and response bodies: camelCase, unknown fields refused, no silent coercion."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Wire(BaseModel):
    """A request or response body.

    Strict: "3" is not accepted as 3. Types that JSON lacks (ids, amounts, dates) are read from text or number.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        strict=True,
        frozen=True,
        str_strip_whitespace=True,
        allow_inf_nan=False,
    )


class Params(BaseModel):
    """What a query string asks for."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


WireId = Annotated[UUID, Field(strict=False)]
WireDate = Annotated[date, Field(strict=False)]
WireTime = Annotated[datetime, Field(strict=False)]
Quantity = Annotated[int, Field(ge=1, le=999)]
