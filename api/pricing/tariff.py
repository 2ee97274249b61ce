"""What holds for purchases to one place on one day: tax, and the rates of shipping."""

from dataclasses import dataclass, replace
from datetime import date

from api.delivery.places import Place
from api.kernel.settings import Settings
from api.pricing.shipping import ShippingRates
from api.pricing.tax import TaxEngine, TaxTerms, embedded

_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Tariff:
    tax: TaxTerms
    shipping: ShippingRates

    @classmethod
    def of(cls, settings: Settings, place: Place, day: date) -> "Tariff":
        if settings is not _latest.settings:
            _latest.settings, _latest.tariffs = settings, {}
        key = (place.country, place.region, day)
        found = _latest.tariffs.get(key)
        if found is None:
            if len(_latest.tariffs) >= _KEPT:
                _latest.tariffs.clear()
            found = cls(engine(settings).terms(place, day), ShippingRates.of(settings))
            _latest.tariffs[key] = found
        return found

    def free_with(self, promotion: str) -> "Tariff":
        """The same, with shipping that the promotion pays for."""
        return replace(self, shipping=replace(self.shipping, free_with=promotion))


class _Latest:
    """The tariffs of the settings that were used last: a process has one, which nobody changes."""

    def __init__(self) -> None:
        self.settings: Settings | None = None
        self.tariffs: dict[tuple[str, str | None, date], Tariff] = {}


_latest = _Latest()


def engine(settings: Settings) -> TaxEngine:
    """What knows the shop's tax."""
    return embedded(settings.tax_rate)


def home(settings: Settings) -> Place:
    """Where a purchase goes as long as nobody has said."""
    return Place(settings.market)
