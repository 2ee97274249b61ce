"""What a query string says about where something is to be delivered."""

from typing import Annotated

from pydantic import ConfigDict, Field

from api.delivery.addresses import destination
from api.delivery.places import Place
from api.delivery.promises import Speed
from api.kernel.schemas import Params


class Where(Params):
    """The place of a page: its prices and dates are those of an order to there. Without `country` it is the shop's own
    market."""

    model_config = ConfigDict(extra="forbid")

    country: Annotated[str | None, Field(max_length=100, description="ISO 3166 code or name")] = None
    state: Annotated[str | None, Field(max_length=100)] = None
    zip_code: Annotated[str | None, Field(max_length=20)] = None

    def place(self, market: str) -> Place:
        """Raises: AddressNotValid."""
        return destination(self.country or market, self.state, self.zip_code)

    @property
    def is_home(self) -> bool:
        """Whether it names nothing."""
        return self.country is None and self.state is None and self.zip_code is None


class WhereAndHow(Where):
    """The same with a speed; one that is not offered is answered with the standard one."""

    delivery_speed: Speed = "standard"
