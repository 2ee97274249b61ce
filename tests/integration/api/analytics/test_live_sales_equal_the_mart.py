"""A seller's sales have one rule in two dialects: the mart's SQL on DuckDB and the live reading on Postgres. Both read
the same random history here and must agree to the cent."""

import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from api.analytics import live_sales
from api.analytics.marts import MartReader, ProductSales, SalesDay
from api.kernel.actor import Actor
from api.kernel.db import Database
from api.kernel.money import ZERO
from api.kernel.settings import Settings
from orchestration.graph.lake_position import reach_source
from tests.harness.cdc import CdcLab
from tests.harness.postgres import PostgresHarness
from tests.harness.sales_history import CURRENCIES, DAYS, FIRST_DAY, SalesHistory
from tests.harness.wire import rewritten_wire
from tests.integration.conftest import transform_settings
from transforms.marts import build
from transforms.settings import TransformSettings

# Building takes seconds on an idle machine and minutes on a busy one.
pytestmark = pytest.mark.timeout(600)

EVERY_DAY = [FIRST_DAY.date() + timedelta(days=day) for day in range(-1, DAYS + 4)]
FIRST, LAST = EVERY_DAY[0], EVERY_DAY[-1]
Days = dict[tuple[date, str], SalesDay]


@dataclass(frozen=True)
class BuiltHistory:
    """A database with histories, and the marts built from it when nothing was changing any more."""

    histories: list[SalesHistory]
    database_url: str
    settings: TransformSettings

    @property
    def marts(self) -> MartReader:
        return MartReader(self.settings.marts_path)

    @property
    def sellers(self) -> list[Actor]:
        return [Actor(kind="seller", user_id=seller) for history in self.histories for seller in history.sellers]


# 501 histories are compared, 50 in one database. They share nothing: a history has its own
# sellers, and every comparison is of one seller.
SEEDS = [range(1, 2), *(range(n, n + 50) for n in range(2, 502, 50))]
# A lake and a build of all marts.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=SEEDS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def built_history(
    request: pytest.FixtureRequest, postgres_server: PostgresHarness, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BuiltHistory]:
    """Part of the history is in the lake's snapshot, the rest comes through the stream."""
    lab = CdcLab.of_shop(postgres_server, tmp_path_factory.mktemp("history"))
    try:
        histories = [SalesHistory(seed) for seed in request.param]
        for history in histories:
            history.write(lab.url)
        lab.start_thread()
        lab.wait_watermark()
        for history in histories:
            history.change(lab.url)
        reach_source(lab.settings())
        lab.stop()
        settings = transform_settings(lab.home)
        build(settings)
        yield BuiltHistory(histories, lab.url, settings)
    finally:
        lab.close()


@pytest.fixture
async def database(built_history: BuiltHistory, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setenv("DATABASE_URL", built_history.database_url)
    database = Database(Settings())
    yield database
    await database.close()


async def test_every_day_of_every_seller_is_the_same_to_the_cent(
    built_history: BuiltHistory, database: Database
) -> None:
    compared = 0
    for seller in built_history.sellers:
        mart = await days_of_mart(built_history.marts, seller, FIRST, LAST)
        assert await days_live(database, seller, FIRST) == mart
        compared += len(mart)
    assert compared > 40


async def test_live_days_continue_the_mart_at_every_midnight(built_history: BuiltHistory, database: Database) -> None:
    for seller in built_history.sellers:
        whole = await days_of_mart(built_history.marts, seller, FIRST, LAST)
        for midnight in EVERY_DAY:
            earlier = await days_of_mart(built_history.marts, seller, FIRST, midnight - timedelta(days=1))
            assert earlier | await days_live(database, seller, midnight) == whole, midnight


async def test_every_product_sold_the_same_in_every_period(built_history: BuiltHistory, database: Database) -> None:
    sold = 0
    for seller in built_history.sellers:
        for number, first in enumerate(EVERY_DAY):
            last = first + timedelta(days=number % 3)
            for currency in CURRENCIES:
                rows = await built_history.marts.products(seller, currency, first, last)
                mart = {row.product_id: row for row in rows}
                assert await products_live(database, seller, currency, first, last) == mart, (currency, first, last)
                sold += len(mart)
    assert sold > 60


async def test_cards_days_and_products_are_sums_of_one_set(built_history: BuiltHistory, database: Database) -> None:
    """The shop's rows summed once more, without SQL's help: orders that are not cancelled and refunds paid out. The
    cards, the table of days and the best sellers, of the marts and live, are those sums."""
    for seller in built_history.sellers:
        told = booked(built_history.database_url, seller)
        for days in (
            await days_of_mart(built_history.marts, seller, FIRST, LAST),
            await days_live(database, seller, FIRST),
        ):
            assert {key: day for key, day in days.items() if day != nothing_on(key[0])} == told
        for currency in CURRENCIES:
            of_currency = [day for (_, code), day in told.items() if code == currency]
            sold = await built_history.marts.products(seller, currency, FIRST, LAST)
            assert sum(row.units for row in sold) == sum(day.units for day in of_currency)
            assert sum((row.revenue for row in sold), ZERO) == sum((day.gross_sales for day in of_currency), ZERO)


def booked(url: str, seller: Actor) -> Days:
    """The booking rules in Python, over the rows of the shop."""
    lines = "select o.order_id, o.status, o.currency,"
    lines += " case when i.edit_id is null then o.created_at else i.created_at end, i.quantity, i.subtotal, i.discount,"
    lines += " i.tax_amount, i.tax_included from order_items i join orders o using (order_id) where i.seller_id = %s"
    paid = "select r.currency, r.created_at, r.quantity, r.goods_amount from return_events r join orders o using"
    paid += " (order_id) where r.to_status = 'refunded' and r.seller_id = %s and o.status <> 'cancelled'"
    orders, sums = defaultdict[tuple[date, str], set[UUID]](set), defaultdict[tuple[date, str], Booked](Booked)
    with psycopg.connect(url) as shop:
        for order, status, currency, at, units, subtotal, discount, tax, included in shop.execute(
            lines, (seller.user_id,)
        ).fetchall():
            if status != "cancelled":
                key = (at.astimezone(UTC).date(), currency)
                orders[key].add(order)
                sums[key].units += units
                sums[key].sales += subtotal - discount - (tax if included else 0)
        for currency, at, units, goods in shop.execute(paid, (seller.user_id,)).fetchall():
            key = (at.astimezone(UTC).date(), currency)
            sums[key].returned_units += units
            sums[key].returned += goods
    return {
        (day, currency): SalesDay(
            day,
            len(orders[day, currency]),
            found.units,
            found.sales,
            found.returned_units,
            found.returned,
            found.sales - found.returned,
        )
        for (day, currency), found in sums.items()
    }


@dataclass
class Booked:
    """Sums of a day."""

    units: int = 0
    sales: Decimal = ZERO
    returned_units: int = 0
    returned: Decimal = ZERO


def nothing_on(day: date) -> SalesDay:
    """A day of which nothing is left."""
    return SalesDay(day, 0, 0, ZERO, 0, ZERO, ZERO)


MUTANTS = {
    "a refund is booked when it was asked for": (r"\brefunded\b", "requested"),
    "a refund counts when it is approved": (r"\brefunded\b", "approved"),
    "cancelled orders stay in the sales": (r"\bcancelled\b", "unheard_of"),
    "days are those of another place": (r"\bUTC\b", "Asia/Tokyo"),
    "a refund's tax and shipping are sales": (r"\bgoods_amount\b", "refund_amount"),
    "tax that a price contains is a sale": (r"order_items\.tax_included", "false"),
    "a line that an edit added is a sale of the order's day": (r"order_items\.edit_id IS NULL", "true"),
    "a seller's lines are counted as orders": (r"(?i)count\(distinct", "count("),
}


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_a_changed_rule_is_seen(built_history: BuiltHistory, database: Database, mutant: str) -> None:
    """Negative control: the same comparison with one rule of the live reading changed on its way to Postgres."""
    differing = 0
    with rewritten_wire(*MUTANTS[mutant]):
        for seller in built_history.sellers:
            mart = await days_of_mart(built_history.marts, seller, FIRST, LAST)
            differing += await days_live(database, seller, FIRST) != mart
    assert differing > 0


async def test_a_changed_rule_of_a_mart_is_seen(
    built_history: BuiltHistory, database: Database, tmp_path: Path
) -> None:
    """Negative control for the other side: the mart is built again from a project that books refunds a day late, and
    whose own test of closed days believes it."""
    project = tmp_path / "dbt"
    shutil.copytree(built_history.settings.dbt_project, project)
    for name in ("int_returns__booked.sql", "closed_days_change_by_restatements_only.sql"):
        [booked] = project.rglob(name)
        text = booked.read_text(encoding="utf-8")
        booked.write_text(text.replace("utc_day('paid.created_at')", "utc_day('(paid.created_at + interval 1 day)')"))
        assert booked.read_text(encoding="utf-8") != text
    changed = {"dbt_project": project, "marts_path": tmp_path / "souk.duckdb", "home": tmp_path}
    lake = {"lake_uri": built_history.settings.lake_uri, "dbt_target": tmp_path / "target"}
    built = build(built_history.settings.model_copy(update=changed | lake))

    differing = 0
    for seller in built_history.sellers:
        mart = await days_of_mart(MartReader(built.marts), seller, FIRST, LAST)
        differing += await days_live(database, seller, FIRST) != mart
    assert differing > 0


async def days_of_mart(marts: MartReader, seller: Actor, first: date, last: date) -> Days:
    found = await marts.sales(seller, first, last)
    return {(day.day, currency): day for currency, days in found.items() for day in days}


async def days_live(database: Database, seller: Actor, first: date) -> Days:
    async with database.read() as tx:
        rows = await live_sales.sales_by_day(tx, seller, midnight_of(first))
    names = ("day", "orders", "units", "gross_sales", "returned_units", "returned_amount", "net_sales")
    return {(row.day, row.currency): SalesDay(*(getattr(row, name) for name in names)) for row in rows}


async def products_live(
    database: Database, seller: Actor, currency: str, first: date, last: date
) -> dict[str, ProductSales]:
    until = midnight_of(last + timedelta(days=1))
    async with database.read() as tx:
        rows = await live_sales.product_sales(tx, seller, currency, midnight_of(first), until)
    found = [ProductSales(str(row.product_id), row.title, row.units, row.revenue) for row in rows]
    return {row.product_id: row for row in found}


def midnight_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
