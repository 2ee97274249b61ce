"""What holds for purchases to one place on one day: tax, and the rates of shipping."""

from dataclasses import dataclass
from datetime import date

from api.delivery.places import Place
from api.kernel.settings import Settings
from api.pricing.shipping import ShippingRates
from api.pricing.tax import TaxTerms, embedded


@dataclass(frozen=True, slots=True)
class Tariff:
    tax: TaxTerms
    shipping: ShippingRates

    @classmethod
    def of(cls, settings: Settings, place: Place, day: date) -> "Tariff":
        return cls(embedded(settings.tax_rate).terms(place, day), ShippingRates.of(settings))


def home(settings: Settings) -> Place:
    """Where a purchase goes as long as nobody has said."""
    return Place(settings.market)
