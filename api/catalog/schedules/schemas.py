"""Bodies of scheduled changes."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from api.kernel.money import Price
from api.kernel.schemas import Wire

Moment = Annotated[AwareDatetime, Field(strict=False, examples=["2090-01-02T03:04:05Z"])]


class PriceWindow(Wire):
    """The product costs `price` from one moment to the other, then what it cost before; without `to` for good."""

    price: Price
    from_: Annotated[Moment, Field(alias="from")]
    to: Moment | None = None


class Schedule(Wire):
    """What is to happen to a product. Null: nothing of the kind."""

    publish_at: Moment | None = None
    unpublish_at: Moment | None = None
    price: PriceWindow | None = None
