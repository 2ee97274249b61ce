"""Tax of a purchase, rounded half up per line, so that lines, shipping and tax add up to the total in every cent."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol

from api.delivery.places import Place
from api.kernel.money import to_cents
from api.pricing.tax_table import MARKETS, ROWS, STANDARD, DeemedSupplier, Market, TaxRow, us_rows

# Members of the European Union count as one country where a seller's place of establishment decides.
_EU = {row.country for row in ROWS if row.source.startswith("European Commission")}


@dataclass(frozen=True, slots=True)
class TaxTerms:
    """The tax of one place on one day.

    `rates`: product class -> fraction; a class that is not named has the standard rate. `included`: shown prices
    contain the tax of goods, `shipping_included`: the fee contains the tax of shipping. `reason`: where the rates
    stand, or why nothing is taxed.
    """

    rates: Mapping[str, Decimal]
    shipping_rate: Decimal
    included: bool
    shipping_included: bool
    deemed_supplier: DeemedSupplier
    reason: str

    def rate(self, tax_class: str) -> Decimal:
        return self.rates.get(tax_class, self.rates[STANDARD])

    def on_goods(self, amount: Decimal, tax_class: str = STANDARD) -> Decimal:
        """The tax of a line of goods for `amount`."""
        return tax_of(amount, self.rate(tax_class), included=self.included)

    def on_shipping(self, fee: Decimal) -> Decimal:
        """The tax of the fee."""
        return tax_of(fee, self.shipping_rate, included=self.shipping_included)


class TaxEngine(Protocol):
    """What knows tax. Ours reads a table; an outside one answers from what it has fetched before, so that no price
    waits for a network call."""

    def terms(self, place: Place, day: date, *, exempt: bool = False) -> TaxTerms:
        """The tax of purchases that go to `place` on `day`. `exempt`: the buyer has shown that they owe none."""
        ...

    def needs(self, country: str) -> Collection[str]:
        """The fields of an address, other than its country, that decide about the tax there: `state`, `zipCode`."""
        ...


@dataclass(frozen=True, slots=True)
class TaxTable:
    """The embedded engine."""

    rows: tuple[TaxRow, ...]
    markets: Mapping[str, Market]

    def terms(self, place: Place, day: date, *, exempt: bool = False) -> TaxTerms:
        market = self.markets.get(place.country)
        if market is None:
            return untaxed(f"the shop has no tax rates of {place.country}")
        if exempt:
            return untaxed("the buyer is exempt", market)
        rates = self._rates(place, day)
        if STANDARD not in rates:
            return untaxed(f"the shop has no tax rates of {place.country} for {day.isoformat()}", market)
        return TaxTerms(
            rates=MappingProxyType(rates),
            shipping_rate=rates[STANDARD] if market.shipping_taxed else Decimal(0),
            included=market.included,
            shipping_included=market.shipping_included,
            deemed_supplier=market.deemed_supplier,
            reason=market.source,
        )

    def needs(self, country: str) -> Collection[str]:
        return ("state",) if any(row.country == country and row.region for row in self.rows) else ()

    def _rates(self, place: Place, day: date) -> dict[str, Decimal]:
        """By class: the row of the region, or else that of the country."""
        found: dict[str, Decimal] = {}
        for region in (None, place.region):
            for row in self.rows:
                if (row.country, row.region) == (place.country, region) and _holds(row, day):
                    found[row.tax_class] = row.rate
        return found


def tax_of(amount: Decimal, rate: Decimal, *, included: bool) -> Decimal:
    """The tax that `amount` contains, or that comes on top of it."""
    return to_cents(amount * rate / (1 + rate)) if included else to_cents(amount * rate)


def untaxed(reason: str, market: Market | None = None) -> TaxTerms:
    """No tax. Shown prices are what is paid."""
    return TaxTerms(
        rates=MappingProxyType({STANDARD: Decimal(0)}),
        shipping_rate=Decimal(0),
        included=market.included if market else False,
        shipping_included=market.shipping_included if market else False,
        deemed_supplier=market.deemed_supplier if market else "never",
        reason=reason,
    )


def owed_by_marketplace(terms: TaxTerms, place: Place, seller_country: str) -> bool:
    """Whether the marketplace is deemed the supplier, so that it owes the tax of this seller's sale."""
    if terms.deemed_supplier == "foreign sellers":
        return _establishment(seller_country) != _establishment(place.country)
    return terms.deemed_supplier == "always"


@lru_cache(maxsize=8)
def embedded(us_rate: Decimal) -> TaxEngine:
    """The engine of the table, with the shop's own rate in the United States."""
    return _Remembered(TaxTable((*ROWS, *us_rows(us_rate)), MARKETS))


class _Remembered:
    """An engine that looks each place and day up once."""

    def __init__(self, engine: TaxEngine) -> None:
        self._found = lru_cache(maxsize=10_000)(
            lambda country, region, day, exempt: engine.terms(Place(country, region), day, exempt=exempt)
        )
        self._needs = lru_cache(maxsize=1_000)(engine.needs)

    def terms(self, place: Place, day: date, *, exempt: bool = False) -> TaxTerms:
        return self._found(place.country, place.region, day, exempt)

    def needs(self, country: str) -> Collection[str]:
        return self._needs(country)


def _holds(row: TaxRow, day: date) -> bool:
    return (row.since is None or row.since <= day) and (row.until is None or day <= row.until)


def _establishment(country: str) -> str:
    return "EU" if country in _EU else country
