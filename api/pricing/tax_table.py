"""The tax that the shop knows by itself: rates by country, region, product class and day, and where they stand.

A small table for the markets that a shop starts with, not advice: `docs/tax.md` says what it leaves out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

TaxClass = Literal["standard", "food", "books"]
STANDARD: TaxClass = "standard"
# Who owes the tax of a sale through the marketplace, rather than its seller: the marketplace always, never, or for
# sellers who are established elsewhere.
DeemedSupplier = Literal["always", "foreign sellers", "never"]


@dataclass(frozen=True, slots=True)
class Market:
    """How a country taxes. `included`: the prices that are shown contain the tax, and so does the fee of shipping when
    `shipping_included`; `shipping_taxed` at the standard rate."""

    country: str
    included: bool
    shipping_taxed: bool
    shipping_included: bool
    deemed_supplier: DeemedSupplier
    source: str


@dataclass(frozen=True, slots=True)
class TaxRow:
    """`rate` from `since` to `until`, both included; None is open. `region` None: everywhere in the country where no
    row names the region."""

    country: str
    region: str | None
    tax_class: TaxClass
    rate: Decimal
    since: date | None
    until: date | None
    source: str


_EU = "European Commission, VAT rates applied in the Member States"
_GB = "HM Revenue & Customs, VAT rates on different goods and services"
_CA = "Canada Revenue Agency, GST/HST rates by province, and the provinces' own sales tax"
_SOURCES = {
    "GB": _GB,
    "CA": _CA,
    "CH": "Federal Tax Administration, Swiss VAT rates",
    "NO": "Skatteetaten, rates of value added tax",
    "JP": "National Tax Agency, consumption tax rates",
    "AU": "Australian Taxation Office, GST",
    "NZ": "Inland Revenue, GST",
    "SG": "Inland Revenue Authority of Singapore, GST rates",
    "HK": "Inland Revenue Department: no tax on sales of goods",
    "US": "the shop's own rate for every state (SOUK_TAX_RATE); a state's rates need an outside engine",
}
# country | standard | food | books | since | until; a class without a figure is taxed at the standard rate. Where two
# lines of a country have days, the second begins on the day after the first ends.
_LINES = """
AT | 20   | 10   | 10  |            |
BE | 21   | 6    | 6   |            |
CZ | 21   | 12   | 0   | 2024-01-01 |
DE | 19   | 7    | 7   | 2021-01-01 |
DK | 25   |      |     |            |
ES | 21   | 10   | 4   |            |
FI | 24   | 14   | 10  |            | 2024-08-31
FI | 25.5 | 14   | 14  | 2024-09-01 |
FR | 20   | 5.5  | 5.5 |            |
GR | 24   | 13   | 6   |            |
IE | 23   | 0    | 0   | 2024-01-01 |
IT | 22   | 10   | 4   |            |
LU | 17   | 3    | 3   | 2024-01-01 |
NL | 21   | 9    | 9   |            |
PL | 23   | 5    | 5   |            |
PT | 23   | 6    | 6   |            |
SE | 25   | 12   | 6   |            |
GB | 20   | 0    | 0   | 2011-01-04 |
CH | 7.7  | 2.5  | 2.5 | 2018-01-01 | 2023-12-31
CH | 8.1  | 2.6  | 2.6 | 2024-01-01 |
NO | 25   | 15   | 0   |            |
JP | 10   | 8    |     | 2019-10-01 |
AU | 10   | 0    |     |            |
NZ | 15   |      |     |            |
SG | 8    |      |     | 2023-01-01 | 2023-12-31
SG | 9    |      |     | 2024-01-01 |
HK | 0    |      |     |            |
CA | 5    | 0    | 5   |            |
"""
# The provinces of Canada whose rate is another than the federal one: region | standard | food | books.
_PROVINCES = """
BC | 12     | 0 | 5
MB | 12     | 0 | 5
NB | 15     | 0 | 5
NL | 15     | 0 | 5
NS | 14     | 0 | 5
ON | 13     | 0 | 5
PE | 15     | 0 | 5
QC | 14.975 | 0 | 5
SK | 11     | 0 | 5
"""
_EXCLUSIVE = {"CA"}
_DEEMED: dict[str, DeemedSupplier] = {"NZ": "foreign sellers", "AU": "foreign sellers", "SG": "foreign sellers"}
_CLASSES: tuple[TaxClass, ...] = ("standard", "food", "books")


def us_rows(rate: Decimal) -> list[TaxRow]:
    """The United States, at one rate for every state."""
    return [TaxRow("US", None, STANDARD, rate, None, None, _SOURCES["US"])]


def _rows() -> Iterator[TaxRow]:
    for line in filter(None, _LINES.splitlines()):
        country, *rates, since, until = (cell.strip() for cell in line.split("|"))
        yield from _of_line(country, None, rates, _day(since), _day(until))
    for line in filter(None, _PROVINCES.splitlines()):
        region, *rates = (cell.strip() for cell in line.split("|"))
        yield from _of_line("CA", region, rates, None, None)


def _of_line(
    country: str, region: str | None, rates: list[str], since: date | None, until: date | None
) -> Iterator[TaxRow]:
    for tax_class, per_cent in zip(_CLASSES, rates, strict=True):
        if per_cent:
            rate = Decimal(per_cent) / 100
            yield TaxRow(country, region, tax_class, rate, since, until, _SOURCES.get(country, _EU))


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


ROWS = tuple(_rows())
MARKETS = {
    country: Market(
        country,
        included=country not in _EXCLUSIVE,
        shipping_taxed=True,
        shipping_included=country not in _EXCLUSIVE,
        deemed_supplier=_DEEMED.get(country, "foreign sellers" if source in {_EU, _GB} else "never"),
        source=source,
    )
    for country in {row.country: None for row in ROWS}
    for source in [_SOURCES.get(country, _EU)]
} | {
    # Goods only, shipping is not taxed. Every state with a sales tax makes marketplaces collect it.
    "US": Market("US", False, False, False, "always", _SOURCES["US"])
}
