"""A random history of sales in a migrated database.

It holds every state of orders and returns, and events next to UTC midnight.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import psycopg
from psycopg import sql

from api.orders.states import CANCELLABLE, ORDER_STATES

FIRST_DAY = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 8
CURRENCIES = ("EUR", "GBP", "USD")
RETURN_STATES = ("requested", "approved", "refunded", "rejected")
# The first and last instants of a UTC day: a rule with another time zone books these on the wrong day.
_EDGES = (timedelta(0), timedelta(microseconds=1), timedelta(days=1) - timedelta(microseconds=1))

Row = dict[str, object]


@dataclass(frozen=True)
class _Listed:
    """One variant of one seller's product."""

    product: UUID
    variant: UUID
    seller: UUID
    price: Decimal


@dataclass
class SalesHistory:
    """`write` fills an empty database; `change` adds orders, cancellations, refunds and refusals.

    The same seed gives the same rows.
    """

    seed: int
    sellers: list[UUID] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._listed: list[_Listed] = []
        self._buyers: list[UUID] = []

    def write(self, url: str, orders: int = 90) -> None:
        """Write sellers, products and the first orders, in one transaction."""
        with psycopg.connect(url) as connection:
            self._sell(connection)
            for _ in range(orders):
                self._order(connection)

    def change(self, url: str, orders: int = 30) -> None:
        """Add orders, and advance some earlier ones, each in its own transaction."""
        with psycopg.connect(url, autocommit=True) as connection:
            for _ in range(orders):
                with connection.transaction():
                    self._order(connection)
            self._cancel_some(connection)
            self._answer_returns(connection)

    def _sell(self, connection: psycopg.Connection) -> None:
        for number in range(4):
            self.sellers.append(self._user(connection, f"seller{number}-{self.seed}", "seller"))
            self._buyers.append(self._user(connection, f"buyer{number}-{self.seed}", "customer"))
            _insert(connection, "sellers", {"seller_id": self.sellers[-1], "name": f"Store {number}", "country": "GB"})
        category = self._id()
        _insert(
            connection,
            "categories",
            {"category_id": category, "name": "Things", "path": f"/Things{self.seed}", "level": 0},
        )
        for number in range(10):
            seller, price = self.sellers[number % 3], Decimal(self._rng.randint(1, 99_999)) / 100
            product = self._id()
            row: Row = {"product_id": product, "seller_id": seller, "category_id": category, "title": f"Thing {number}"}
            _insert(connection, "products", row | {"base_price": price, "currency": "GBP", "created_at": FIRST_DAY})
            variant: Row = {
                "variant_id": self._id(),
                "product_id": product,
                "sku": f"T{number}-{self.seed}",
                "price": price,
            }
            _insert(connection, "product_variants", variant | {"attributes": "{}", "created_at": FIRST_DAY})
            self._listed.append(_Listed(product, UUID(str(variant["variant_id"])), seller, price))

    def _user(self, connection: psycopg.Connection, name: str, kind: str) -> UUID:
        user = self._id()
        row: Row = {"user_id": user, "email": f"{name}@example.com", "password_hash": "-", "name": name}
        _insert(connection, "users", row | {"user_type": kind, "created_at": FIRST_DAY})
        return user

    def _order(self, connection: psycopg.Connection) -> None:
        order, placed, status = self._id(), self._moment(), self._rng.choice(ORDER_STATES)
        buyer = self._rng.choice([None, *self._buyers])
        lines = [self._line(order, thing, placed) for thing in self._rng.sample(self._listed, self._rng.randint(1, 4))]
        subtotal, discount, tax = (_sum(lines, column) for column in ("subtotal", "discount", "tax_amount"))
        included = _sum([line for line in lines if line["tax_included"]], "tax_amount")
        fee = Decimal("4.99")
        row: Row = {
            "order_id": order,
            "order_number": f"S{order.hex[-12:]}",
            "user_id": buyer,
            "guest_session": None if buyer else "guest",
            "status": status,
            "currency": self._rng.choice(CURRENCIES),
            "subtotal": subtotal,
            "tax": tax,
            "tax_included": included,
            "shipping_fee": fee,
            "discount": discount,
            "total": subtotal + tax - included + fee - discount,
            "payment_status": "paid",
            "shipping_address": "{}",
            "country": "GB",
            "created_at": placed,
            "updated_at": placed,
        }
        _insert(connection, "orders", row)
        for line in lines:
            _insert(connection, "order_items", line)
        if status == "cancelled":
            self._cancelled(connection, order, placed + timedelta(hours=self._rng.choice([0, 30])))
        # Of an order that is not sent yet, units are cancelled; some of these orders are cancelled as a whole later.
        if status not in {"pending", "shipped", "cancelled"}:
            for line in self._rng.sample(lines, self._rng.randint(0, len(lines))):
                self._return(connection, line, row)
            for line in self._rng.sample(lines, self._rng.randint(0, 1)):
                self._adjust(connection, line, row)

    def _line(self, order: UUID, thing: _Listed, placed: datetime) -> Row:
        """A line of the order. One in eight is created later than the order; half of these were added by an edit and
        are sales of their own day, the others are still sales of the order's day.

        Some prices contain their tax, some lines have a discount.
        """
        quantity = self._rng.randint(1, 5)
        subtotal = quantity * thing.price
        discount = self._part_of(subtotal) if self._rng.random() < 0.2 else Decimal(0)
        late = timedelta(hours=self._rng.choice([0, 0, 0, 0, 0, 0, 0, 30]))
        return {
            "order_item_id": self._id(),
            "order_id": order,
            "product_id": thing.product,
            "variant_id": thing.variant,
            "seller_id": thing.seller,
            "quantity": quantity,
            "price_at_purchase": thing.price,
            "subtotal": subtotal,
            "discount": discount,
            "tax_amount": self._part_of(subtotal - discount),
            "tax_included": self._rng.random() < 0.5,
            "edit_id": self._id() if late and self._rng.random() < 0.5 else None,
            "created_at": placed + late,
        }

    def _return(self, connection: psycopg.Connection, line: Row, order: Row) -> None:
        """Add one or two returns, together at most the whole line. The goods of the refund may be less than the price.

        The event of the present status is dated; `updated_at` says nothing about it.
        """
        placed = order["created_at"]
        assert isinstance(placed, datetime)
        left = int(str(line["quantity"]))
        for _ in range(self._rng.randint(1, 2)):
            if left == 0:
                return
            quantity = self._rng.randint(1, left)
            left -= quantity
            goods = self._part_of(quantity * Decimal(str(line["price_at_purchase"])))
            tax, shipping = self._part_of(goods), Decimal(self._rng.choice(["0.00", "1.66", "4.99"]))
            asked = placed + timedelta(days=self._rng.randint(0, 2))
            row: Row = {
                "return_id": self._id(),
                "user_id": order["user_id"],
                "quantity": quantity,
                "reason": "broken",
                "status": self._rng.choice(RETURN_STATES),
                "refund_amount": goods + tax + shipping,
                "goods_amount": goods,
                "tax_amount": tax,
                "shipping_amount": shipping,
                "created_at": asked,
                "updated_at": self._moment(),
            }
            row |= {name: line[name] for name in ("order_id", "order_item_id", "product_id", "seller_id")}
            _insert(connection, "returns", row)
            for step, at in {"requested": asked, str(row["status"]): max(asked, self._moment())}.items():
                self._return_event(connection, row["return_id"], step, at)

    def _adjust(self, connection: psycopg.Connection, line: Row, order: Row) -> None:
        """Money that goes back without a unit."""
        goods = self._part_of(Decimal(str(line["price_at_purchase"])))
        tax = self._part_of(goods)
        placed = order["created_at"]
        assert isinstance(placed, datetime)
        at = max(placed, self._moment())
        row: Row = {
            "return_id": self._id(),
            "user_id": order["user_id"],
            "quantity": 0,
            "reason": "sorry",
            "reason_code": self._rng.choice(["goodwill", "price_adjustment"]),
            "status": self._rng.choice(["approved", "refunded"]),
            "refund_amount": goods + tax,
            "goods_amount": goods,
            "tax_amount": tax,
            "shipping_amount": Decimal("0.00"),
            "created_at": at,
        }
        row |= {name: line[name] for name in ("order_id", "order_item_id", "product_id", "seller_id")}
        _insert(connection, "returns", row)
        self._return_event(connection, row["return_id"], str(row["status"]), at)

    def _cancel_some(self, connection: psycopg.Connection) -> None:
        """Cancel some orders in every state that allows it."""
        for state in sorted(CANCELLABLE):
            for order in self._some(connection, "order_id", "orders", state):
                connection.execute("update orders set status = 'cancelled' where order_id = %s", (order,))
                self._cancelled(connection, order, self._moment())

    def _answer_returns(self, connection: psycopg.Connection) -> None:
        for state, answer in (("requested", "rejected"), ("requested", "approved"), ("approved", "refunded")):
            for found in self._some(connection, "return_id", "returns", state):
                connection.execute("update returns set status = %s where return_id = %s", (answer, found))
                self._return_event(connection, found, answer, self._moment())

    def _cancelled(self, connection: psycopg.Connection, order: object, at: datetime) -> None:
        row: Row = {"order_event_id": self._id(), "order_id": order, "sequence": 2, "to_status": "cancelled"}
        _insert(connection, "order_events", row | {"actor_kind": "user", "created_at": at})

    def _return_event(self, connection: psycopg.Connection, found: object, status: str, at: datetime) -> None:
        connection.execute(
            "insert into return_events (return_id, to_status, order_id, order_item_id, seller_id, quantity,"
            " refund_amount, goods_amount, tax_amount, shipping_amount, currency, created_at) select r.return_id, %s,"
            " r.order_id, r.order_item_id, r.seller_id, r.quantity, r.refund_amount, r.goods_amount, r.tax_amount,"
            " r.shipping_amount, o.currency, %s from returns r join orders o using (order_id)"
            " where return_id = %s",
            (status, at, found),
        )

    def _some(self, connection: psycopg.Connection, key: str, table: str, status: str) -> list[object]:
        """Half of this history's rows in this status."""
        query = sql.SQL(
            "select {} from {} where status = %s and order_id in"
            " (select order_id from order_items where seller_id = any(%s)) order by 1"
        ).format(sql.Identifier(key), sql.Identifier(table))
        found = [row[0] for row in connection.execute(query, (status, self.sellers)).fetchall()]
        return self._rng.sample(found, (len(found) + 1) // 2)

    def _moment(self) -> datetime:
        day = FIRST_DAY + timedelta(days=self._rng.randrange(DAYS))
        if self._rng.random() < 0.3:
            return day + self._rng.choice(_EDGES)
        return day + timedelta(microseconds=self._rng.randrange(86_400_000_000))

    def _part_of(self, amount: Decimal) -> Decimal:
        return Decimal(self._rng.randint(0, int(amount * 100))) / 100

    def _id(self) -> UUID:
        return UUID(int=self._rng.getrandbits(128), version=4)


def _sum(lines: list[Row], column: str) -> Decimal:
    return sum((Decimal(str(line[column])) for line in lines), Decimal(0))


def _insert(connection: psycopg.Connection, table: str, row: Row) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, row))
    values = sql.SQL(", ").join(sql.Placeholder() * len(row))
    statement = sql.SQL("insert into {} ({}) values ({})").format(sql.Identifier(table), names, values)
    connection.execute(statement, list(row.values()))
