"""What the published marts say of sellers."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from api.analytics import statements
from api.kernel.actor import Actor
from api.kernel.marts import PublishedMarts


@dataclass(frozen=True, slots=True)
class SalesDay:
    """One UTC day of one seller in one currency: orders that are not cancelled, and refunds.

    Amounts as in `mart_seller__sales_day`, but `gross_sales` leaves cancelled orders out, so that all figures are of
    one set; returns are positive numbers here.
    """

    day: date
    orders: int
    units: int
    gross_sales: Decimal
    returned_units: int
    returned_amount: Decimal
    net_sales: Decimal


@dataclass(frozen=True, slots=True)
class Restatement:
    """How `day` changed on the later day `restated_on`, and why: `cause` as in `mart_seller__restatement`.

    `orders`: how many of the day's were cancelled.
    """

    day: date
    restated_on: date
    orders: int
    amount: Decimal
    cause: str


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Parcels that were promised for the days of a period: how many have arrived, and how many of these on time."""

    promised: int = 0
    delivered: int = 0
    on_time: int = 0

    @property
    def on_time_rate(self) -> Decimal | None:
        """Of a hundred delivered; None when none has arrived."""
        return (Decimal(100 * self.on_time) / self.delivered).quantize(Decimal("0.1")) if self.delivered else None


def average_stars(stars: int, reviews: int) -> Decimal | None:
    """To the hundredth, as a product's page says it; None without reviews."""
    return (Decimal(stars) / reviews).quantize(Decimal("0.01"), ROUND_HALF_UP) if reviews else None


@dataclass(frozen=True, slots=True)
class Ratings:
    """Published reviews of a store's products: how many have so many stars, one star first, and how many of all are of
    buyers to whom the product was delivered."""

    counts: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    verified: int = 0

    @property
    def reviews(self) -> int:
        return sum(self.counts)

    @property
    def average(self) -> Decimal | None:
        return average_stars(sum(stars * count for stars, count in enumerate(self.counts, 1)), self.reviews)


@dataclass(frozen=True, slots=True)
class RatedProduct:
    title: str
    average: Decimal | None
    reviews: int


@dataclass(frozen=True, slots=True)
class ProductSales:
    product_id: str
    title: str
    units: int
    revenue: Decimal


@dataclass(frozen=True, slots=True)
class ProductPair:
    """Two products that share `orders` orders, `lift` times as many as if they were bought
    independently, counted at log position `lsn`."""

    title: str
    with_title: str
    orders: int
    lift: float
    lsn: str


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A published review that is a part of a pattern: `ring` or `burst`, of so many accounts."""

    review_id: str
    pattern: str
    accounts: int
    score: float


@dataclass(frozen=True, slots=True)
class Withheld:
    """An order, product or store that the marts leave out because its rows break `rule`."""

    kind: str
    name: str
    rule: str


@dataclass(frozen=True, slots=True)
class Watermark:
    """`lsn` as Postgres prints it; `as_of` the commit time of the last transaction inside."""

    lsn: str
    as_of: datetime


class MartReader(PublishedMarts):
    """The marts of sellers, in the classes above."""

    async def watermark(self) -> Watermark | None:
        """The watermark that the marts were built at; None when nothing is published yet."""
        rows = await self.rows(statements.WATERMARK, ())
        return Watermark(lsn=rows[0][0], as_of=rows[0][1]) if rows else None

    async def last_day(self, actor: Actor, before: date) -> tuple[date | None, str | None]:
        """The newest day before `before` on which the seller has data, and the currency of most of its days."""
        rows = await self.rows(statements.LAST, (str(actor.user_id), before))
        return (rows[0][0], rows[0][1]) if rows else (None, None)

    async def sales(self, actor: Actor, first: date, last: date) -> dict[str, list[SalesDay]]:
        """Currency -> its days with data, oldest first."""
        days: dict[str, list[SalesDay]] = {}
        for currency, *row in await self.rows(statements.SALES, (str(actor.user_id), first, last)):
            days.setdefault(currency, []).append(SalesDay(*row))
        return days

    async def restatements(self, actor: Actor, currency: str, first: date, last: date) -> list[Restatement]:
        """What changed days of the period after they had closed, newest day first."""
        parameters = (str(actor.user_id), currency, first, last)
        return [Restatement(*row) for row in await self.rows_if_there(statements.RESTATEMENTS, parameters)]

    async def deliveries(self, actor: Actor, first: date, last: date) -> Deliveries:
        """What became of the promises for the days of the period."""
        rows = await self.rows_if_there(statements.DELIVERIES, (str(actor.user_id), first, last))
        return Deliveries(*rows[0]) if rows else Deliveries()

    async def ratings(self, actor: Actor, first: date = date.min, last: date = date.max) -> Ratings:
        """Of reviews that were written on these days, of all without them."""
        for *counts, verified in await self.rows_if_there(statements.RATINGS, (str(actor.user_id), first, last)):
            one, two, three, four, five = counts
            return Ratings((one, two, three, four, five), verified)
        return Ratings()

    async def lowest_rated(self, actor: Actor, limit: int) -> list[RatedProduct]:
        """The seller's products with the lowest averages, those with more reviews first within equal ones."""
        rows = await self.rows_if_there(statements.RATED_PRODUCTS, (str(actor.user_id), limit))
        return [RatedProduct(title, average_stars(stars, reviews), reviews) for title, stars, reviews in rows]

    async def products(self, actor: Actor, currency: str, first: date, last: date) -> list[ProductSales]:
        """The best-selling products of the period by revenue in `currency`, at most 500."""
        parameters = (str(actor.user_id), currency, first, last)
        return [ProductSales(*row) for row in await self.rows(statements.PRODUCTS, parameters)]

    async def units_in_30_days(self, actor: Actor) -> dict[str, int]:
        """Units each variant sold in the seller's newest 30 days with data."""
        return dict(await self.rows(statements.COVER, (str(actor.user_id),)))

    async def bought_together(self, actor: Actor, limit: int) -> list[ProductPair]:
        """The seller's products with their strongest partners, of any seller, strongest first; each pair once."""
        return [ProductPair(*row) for row in await self.rows_if_there(statements.PAIRS, (str(actor.user_id), limit))]

    async def withheld(self, actor: Actor, limit: int) -> list[Withheld]:
        """What the seller's figures lack."""
        return [Withheld(*row) for row in await self.rows_if_there(statements.WITHHELD, (str(actor.user_id), limit))]

    async def suspicions(self) -> list[Suspicion]:
        """What the marts find when reviews are seen together, the oldest review first."""
        return [Suspicion(*row) for row in await self.rows_if_there(statements.SUSPICIONS, ())]
