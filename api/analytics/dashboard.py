"""The figures of the seller's page: mart numbers up to the day of the marts, live numbers after it.

Each is labelled with its "as of" time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from api.analytics import live_sales as sales
from api.analytics.marts import (
    Deliveries,
    MartReader,
    ProductPair,
    ProductSales,
    RatedProduct,
    Ratings,
    Restatement,
    SalesDay,
    Watermark,
    Withheld,
)
from api.analytics.marts_report import Old, old_marts
from api.catalog.queries import seller_stock
from api.kernel import clock
from api.kernel.actor import Actor
from api.kernel.context import Context
from api.kernel.errors import NotAuthenticated
from api.kernel.lake_report import read_report
from api.kernel.money import ZERO
from api.pricing.conversion import Rate, Rates
from api.pricing.queries import rates_to

PERIODS = (7, 30, 90, 365)
TOP_PRODUCTS = 10
LIST_ROWS = 12
PAIRS = 8
LOWEST_RATED = 5
# Without marts the page shows only live numbers, for this many days back.
LIVE_ONLY_DAYS = 30


@dataclass(frozen=True, slots=True)
class Figures:
    """The cards on top, over one period."""

    net_sales: Decimal
    orders: int
    units: int
    returned_units: int
    returned_amount: Decimal

    @property
    def average_order(self) -> Decimal:
        return (self.net_sales / self.orders).quantize(ZERO) if self.orders else ZERO

    @property
    def return_rate(self) -> Decimal:
        """Units returned in the period per hundred units ordered in it."""
        return (
            (Decimal(100 * self.returned_units) / self.units).quantize(Decimal("0.1")) if self.units else Decimal("0.0")
        )


@dataclass(frozen=True, slots=True)
class StockLine:
    title: str
    sku: str
    units: int
    days_of_cover: int | None


@dataclass(frozen=True, slots=True)
class MissingRate:
    """The first day of the period whose sales in `currency` cannot be converted into `target`."""

    currency: str
    target: str
    day: date


@dataclass(frozen=True, slots=True)
class AllCurrencies:
    """The period's figures of each currency, and their net sales as one number, each day converted at its rate.

    `net_sales` is None when a rate is missing; `sources` name where the rates are from, `oldest` the day of the oldest
    one in use: it holds until the operator loads a newer one.
    """

    figures: dict[str, Figures]
    net_sales: Decimal | None
    missing: list[MissingRate]
    sources: list[str]
    oldest: date | None = None


@dataclass(frozen=True, slots=True)
class Rated:
    """What is said of the store's products: ever, in the period, and in the one before."""

    ever: Ratings
    now: Ratings
    before: Ratings
    lowest: list[RatedProduct]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Everything the template needs; `days` has one entry per calendar day of the period.

    Every amount is in `currency` except `all_currencies`, which is None for a store that sells in one currency.
    `old`: why and since when the marts are older than they should be.
    """

    currency: str
    first: date
    last: date
    watermark: Watermark | None
    stopped: Mapping[str, datetime | None]
    old: Old | None
    withheld: list[Withheld]
    read_at: datetime
    now: Figures
    before: Figures
    all_currencies: AllCurrencies | None
    days: list[SalesDay]
    restated: list[Restatement]
    deliveries: Deliveries
    rated: Rated
    products: list[ProductSales]
    pairs: list[ProductPair]
    stock: list[StockLine]
    stock_totals: seller_stock.StockTotals
    orders: list[sales.LatestOrder]
    returns: list[sales.LatestReturn]


async def dashboard_of(
    ctx: Context, marts: MartReader, actor: Actor, period: int, currency: str | None = None
) -> Dashboard:
    """The actor's dashboard: `period` days that end on the newest day with data
    (today, for a shop with current orders). `currency`: one of the store's; by default the one of most of its days."""
    if actor.user_id is None:
        raise NotAuthenticated("Sign in as a seller.")
    watermark = await marts.watermark()
    today = clock.now().date()
    # The marts hold only a part of the watermark's day, so that day and all later ones are read live.
    live_from = watermark.as_of.astimezone(UTC).date() if watermark else today - timedelta(days=LIVE_ONLY_DAYS)
    mart_last, mart_currency = await marts.last_day(actor, live_from)
    async with ctx.db.read() as tx:
        live = await sales.sales_by_day(tx, actor, _midnight(live_from))
        latest_orders = await sales.latest_orders(tx, actor, LIST_ROWS)
        latest_returns = await sales.latest_returns(tx, actor, LIST_ROWS)
        scarce = await seller_stock.scarcest(tx, actor, LIST_ROWS)
        stock_totals = await seller_stock.totals(tx, actor)
    last = max([row.day for row in live], default=mart_last or today)
    first = last - timedelta(days=period - 1)
    known = await marts.sales(actor, first - timedelta(days=period), live_from - timedelta(days=1))
    for row in live:
        known.setdefault(row.currency, []).append(row.sales_day())
    if currency not in known:
        currency = mart_currency or (live[-1].currency if live else ctx.settings.currency)
    chosen = known.get(currency, [])
    days = _calendar(chosen, first, last)
    return Dashboard(
        currency=currency,
        first=first,
        last=last,
        watermark=watermark,
        stopped=read_report(ctx.settings.home).stopped,
        old=old_marts(ctx.settings.marts_path, ctx.settings.home),
        withheld=await marts.withheld(actor, LIST_ROWS),
        read_at=clock.now(),
        now=_figures(days),
        # Without marts the earlier period is incomplete, so it is not compared.
        before=_figures(day for day in chosen if day.day < first and watermark),
        all_currencies=await _all_currencies(ctx, known, currency, (first, last)) if len(known) > 1 else None,
        days=days,
        restated=await marts.restatements(actor, currency, first, last),
        deliveries=await marts.deliveries(actor, first, last),
        rated=Rated(
            ever=await marts.ratings(actor),
            now=await marts.ratings(actor, first, last),
            before=await marts.ratings(actor, first - timedelta(days=period), first - timedelta(days=1)),
            lowest=await marts.lowest_rated(actor, LOWEST_RATED),
        ),
        products=await _top_products(ctx, marts, actor, currency, (first, last, live_from)),
        pairs=await marts.bought_together(actor, PAIRS),
        stock=_with_cover(scarce, await marts.units_in_30_days(actor)),
        stock_totals=stock_totals,
        orders=latest_orders,
        returns=latest_returns,
    )


async def _all_currencies(
    ctx: Context, known: Mapping[str, list[SalesDay]], target: str, period: tuple[date, date]
) -> AllCurrencies:
    first, last = period
    async with ctx.db.read() as tx:
        rates = await rates_to(tx, target, known.keys(), first, last)
    return add_currencies(
        {name: [day for day in days if day.day >= first] for name, days in known.items()}, target, rates
    )


def add_currencies(days: Mapping[str, Sequence[SalesDay]], target: str, rates: Rates) -> AllCurrencies:
    """Figures per currency, and one number in `target` if every day of another currency has a rate."""
    total, missing, used = ZERO, [], set[Rate]()
    for currency, listed in sorted(days.items()):
        for day in listed:
            converted = rates.convert(day.net_sales, currency, target, day.day)
            if converted is None:
                missing.append(MissingRate(currency, target, day.day))
                break
            total += converted
            if currency != target and (rate := rates.on(day.day, currency, target)):
                used.add(rate)
    figures = {currency: _figures(listed) for currency, listed in sorted(days.items())}
    sources, oldest = sorted({rate.source for rate in used}), min((rate.day for rate in used), default=None)
    return AllCurrencies(figures, None if missing else total, missing, sources, oldest)


async def _top_products(
    ctx: Context, marts: MartReader, actor: Actor, currency: str, days: tuple[date, date, date]
) -> list[ProductSales]:
    """Best sellers in one currency; `days`: the period's first and last day, and the first day that is read live."""
    first, last, live_from = days
    in_marts = await marts.products(actor, currency, first, min(last, live_from - timedelta(days=1)))
    known = {row.product_id: row for row in in_marts}
    if last >= live_from:
        async with ctx.db.read() as tx:
            tail = await sales.product_sales(
                tx, actor, currency, _midnight(max(first, live_from)), _midnight(last + timedelta(days=1))
            )
        for row in tail:
            key = str(row.product_id)
            earlier = known.get(key, ProductSales(key, row.title, 0, ZERO))
            known[key] = replace(earlier, units=earlier.units + row.units, revenue=earlier.revenue + row.revenue)
    return sorted(known.values(), key=lambda row: (-row.revenue, row.title))[:TOP_PRODUCTS]


def _calendar(known: Iterable[SalesDay], first: date, last: date) -> list[SalesDay]:
    by_day = {row.day: row for row in known}
    dates = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    return [by_day.get(day) or SalesDay(day, 0, 0, ZERO, 0, ZERO, ZERO) for day in dates]


def _figures(days: Iterable[SalesDay]) -> Figures:
    listed = list(days)
    return Figures(
        net_sales=sum((day.net_sales for day in listed), ZERO),
        orders=sum(day.orders for day in listed),
        units=sum(day.units for day in listed),
        returned_units=sum(day.returned_units for day in listed),
        returned_amount=sum((day.returned_amount for day in listed), ZERO),
    )


def _with_cover(rows: Sequence[seller_stock.VariantStock], units_in_30_days: dict[str, int]) -> list[StockLine]:
    lines = []
    for row in rows:
        sold = units_in_30_days.get(str(row.variant_id), 0)
        lines.append(
            StockLine(row.title, row.sku, row.stock_quantity, row.stock_quantity * 30 // sold if sold else None)
        )
    return lines


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
