"""A small lake written directly to Delta, for tests of its readers: seeded random shops, or rows by hand."""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import permutations
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.derived import CO_PURCHASE
from warehouse.contract import Contract, load_contract
from warehouse.lake.catalog import ensure_changes, ensure_current
from warehouse.lake.commit import commit_rows
from warehouse.lake.derived import commit_files, derived_uri
from warehouse.lake.lsn import format_lsn
from warehouse.lake.watermark import TableVersion, Watermark, open_watermarks, write_watermark

Row = dict[str, object]
Rows = dict[str, list[Row]]
CONTRACT = Path(__file__).resolve().parents[2] / "warehouse" / "contracts" / "oltp.json"
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class SyntheticShop:
    """Rows by table, in the contract's columns. Missing columns of a row become null."""

    rows: Rows = field(default_factory=dict)
    ids: int = 0

    def new_id(self) -> str:
        """A UUID that sorts by age, as the shop's ids do."""
        self.ids += 1
        return str(UUID(int=(0x0190 << 112) | self.ids))

    def add(self, table: str, **row: object) -> Row:
        self.rows.setdefault(table, []).append(row)
        return row

    def add_seller(self, name: str = "Seller", country: str = "GB", at: datetime = START) -> str:
        seller = self.new_id()
        self.add(
            "sellers",
            seller_id=seller,
            name=name,
            country=country,
            rating=Decimal("4.50"),
            verified=True,
            origin="native",
            created_at=at,
            updated_at=at,
        )
        return seller

    def add_category(self, name: str = "Things", at: datetime = START) -> str:
        category = self.new_id()
        self.add("categories", category_id=category, name=name, path=name, level=0, created_at=at, updated_at=at)
        return category

    def add_product(
        self, seller: str, category: str, title: str, *, price: str = "5.00", stock: int = 10, at: datetime = START
    ) -> tuple[str, str]:
        """Add a product; returns (product id, variant id). The variant's first stock is booked as `initial`."""
        product, variant = self.new_id(), self.new_id()
        amount = Decimal(price)
        self.add(
            "products",
            product_id=product,
            seller_id=seller,
            category_id=category,
            title=title,
            base_price=amount,
            currency="GBP",
            status="active",
            prime_eligible=False,
            average_rating=Decimal("0.00"),
            review_count=0,
            specifications="{}",
            version=1,
            origin="native",
            created_at=at,
            updated_at=at,
        )
        self.add(
            "product_variants",
            variant_id=variant,
            product_id=product,
            seller_id=seller,
            sku=title,
            attributes="{}",
            price=amount,
            stock_quantity=stock,
            created_at=at,
            updated_at=at,
        )
        self.move_stock(variant, stock, "initial", at)
        return product, variant

    def move_stock(self, variant: str, change: int, kind: str, at: datetime) -> None:
        number = len(self.rows.get("inventory_transactions", [])) + 1
        self.add(
            "inventory_transactions",
            transaction_id=self.new_id(),
            transaction_no=number,
            variant_id=variant,
            quantity_change=change,
            transaction_type=kind,
            previous_quantity=0,
            new_quantity=0,
            created_at=at,
        )

    def add_order(
        self,
        lines: Iterable[tuple[str, str, str, int, str]],
        at: datetime,
        user: str | None = None,
        status: str = "delivered",
        *,
        cancelled_at: datetime | None = None,
        currency: str = "GBP",
    ) -> tuple[str, list[str]]:
        """Add an order of `lines` (product, variant, seller, quantity, price); returns (order id, line ids)."""
        order = self.new_id()
        lines = list(lines)
        items = [self._add_line(order, line, at, status) for line in lines]
        if len(lines) > 1 and lines[0][2] == lines[1][2]:
            self._buy_as_kit(lines[0], self.rows["order_items"][-len(lines) :][:2])
        subtotal = sum((Decimal(price) * quantity for *_, quantity, price in lines), Decimal(0))
        if cancelled_at is not None:
            status = "cancelled"
            self.add(
                "order_events",
                order_event_id=self.new_id(),
                order_id=order,
                sequence=2,
                to_status="cancelled",
                actor_kind="user",
                created_at=cancelled_at,
            )
        tax = (subtotal * Decimal("0.08")).quantize(Decimal("0.01"))
        self.add(
            "orders",
            order_id=order,
            order_number=f"N{order[-8:]}",
            user_id=user,
            status=status,
            currency=currency,
            subtotal=subtotal,
            tax=tax,
            shipping_fee=Decimal("4.99"),
            discount=Decimal("0.00"),
            total=subtotal + tax + Decimal("4.99"),
            payment_status="paid",
            country="GB",
            delivery_speed="standard",
            origin="native",
            created_at=at,
            updated_at=cancelled_at or at,
        )
        for seller in dict.fromkeys(seller for _, _, seller, *_ in lines):
            self._add_parcel(order, seller, at, "cancelled" if cancelled_at else status)
        return order, items

    def _add_parcel(self, order: str, seller: str, at: datetime, status: str) -> None:
        """What one seller sends of an order, promised for three days later; it comes after one to five days, or has
        not come yet, or was not even sent, or was never promised."""
        number = UUID(order).int
        days = number % 7
        arrived = status == "delivered" and days < 5
        self.add(
            "parcels",
            parcel_id=str(UUID(int=number ^ (UUID(seller).int << 32) % 2**128)),
            order_id=order,
            number=1,
            seller_id=seller,
            status=status,
            promised_on=None if number % 11 == 0 else (at + timedelta(days=3)).date(),
            shipped_at=at + timedelta(hours=20) if status == "delivered" and days < 6 else None,
            delivered_at=at + timedelta(days=1 + days) if arrived else None,
            origin="native",
            created_at=at,
            updated_at=at,
        )

    def _add_line(self, order: str, line: tuple[str, str, str, int, str], at: datetime, status: str) -> str:
        product, variant, seller, quantity, price = line
        item = self.new_id()
        self.add(
            "order_items",
            order_item_id=item,
            order_id=order,
            product_id=product,
            variant_id=variant,
            seller_id=seller,
            quantity=quantity,
            price_at_purchase=Decimal(price),
            subtotal=Decimal(price) * quantity,
            status=status,
            created_at=at,
        )
        return item

    def _buy_as_kit(self, like: tuple[str, str, str, int, str], parts: list[Row]) -> None:
        """Two lines of one seller were bought as one kit; no kit is kept, so it has the ids of another product."""
        price = sum((Decimal(str(part["subtotal"])) for part in parts), Decimal(0))
        kit = {"variantId": like[1], "productId": like[0], "title": "Kit", "sku": "K", "quantity": 1}
        for part in parts:
            part["kit"] = json.dumps({**kit, "price": str(price)})

    def add_review(self, product: str, seller: str, user: str, rating: int, at: datetime) -> None:
        """Every fourth one waits, every third one is of a buyer."""
        number = len(self.rows.get("reviews_by_user", ()))
        self.add(
            "reviews_by_user",
            user_id=user,
            product_id=product,
            review_id=self.new_id(),
            seller_id=seller,
            rating=rating,
            verified_purchase=number % 3 == 0,
            status="queued" if number % 4 == 3 else "published",
            origin="native",
            created_at=at,
            updated_at=at,
        )

    def add_rate(self, source: str, target: str, day: date, rate: str) -> None:
        self.add(
            "exchange_rates",
            from_currency=source,
            to_currency=target,
            day=day,
            rate=Decimal(rate),
            source="test",
            created_at=START,
        )

    def add_traced_review(
        self, product: str, seller: str, rating: int, at: datetime, *, place: str, age: timedelta
    ) -> None:
        """Of an account of its own, so old then, from an address."""
        user = self.new_id()
        self.add("users", user_id=user, created_at=at - age)
        self.add_review(product, seller, user, rating, at)
        written = self.rows["reviews_by_user"][-1]
        named = {name: written[name] for name in ("review_id", "user_id", "product_id", "seller_id", "created_at")}
        self.add("review_signals", **named, address=place)

    def in_pounds(self, amount: Decimal, day: object, currency: object) -> Decimal | None:
        """`amount` at the newest rate of that day or before; None when there is none."""
        if currency == "GBP":
            return amount
        rates = [row for row in self.rows["exchange_rates"] if row["from_currency"] == currency]
        known = sorted((str(row["day"]), row["rate"]) for row in rates if str(row["day"]) <= str(day))
        if not known or not isinstance(rate := known[-1][1], Decimal):
            return None
        return (amount * rate).quantize(Decimal("0.01"), ROUND_HALF_UP)

    def add_return(self, item: str, quantity: int, asked: datetime, refunded: datetime | None = None) -> str:
        line = next(row for row in reversed(self.rows["order_items"]) if row["order_item_id"] == item)
        order = next(row for row in reversed(self.rows["orders"]) if row["order_id"] == line["order_id"])
        returned = self.new_id()
        price = line["price_at_purchase"]
        if not isinstance(price, Decimal):
            raise TypeError("price_at_purchase must be a Decimal")
        # A sale is changed by the goods alone, so the rest of the refund must show nowhere.
        goods, tax, fee = price * quantity, (price * quantity / 10).quantize(Decimal("0.01")), Decimal("1.50")
        parts: Row = {
            "refund_amount": goods + tax + fee,
            "goods_amount": goods,
            "tax_amount": tax,
            "shipping_amount": fee,
        }
        self.add(
            "returns",
            return_id=returned,
            order_id=line["order_id"],
            order_item_id=item,
            product_id=line["product_id"],
            seller_id=line["seller_id"],
            user_id=order["user_id"],
            quantity=quantity,
            reason="broken",
            status="refunded" if refunded else "requested",
            **parts,
            origin="native",
            created_at=asked,
            # Whatever touches the row moves this; the events date it.
            updated_at=START + timedelta(days=4_000),
        )
        for status, at in (("requested", asked), ("refunded", refunded)):
            if at is not None:
                self.add(
                    "return_events",
                    return_id=returned,
                    to_status=status,
                    order_id=line["order_id"],
                    order_item_id=item,
                    seller_id=line["seller_id"],
                    quantity=quantity,
                    **parts,
                    currency=order["currency"],
                    created_at=at,
                )
        return returned


def random_shop(seed: int, products: int = 20, users: int = 15, orders: int = 120, days: int = 60) -> SyntheticShop:
    """A shop with sellers, guests, repeats, returns, cancellations (same day and later), and days without an order.

    It sells in GBP, sometimes in EUR and USD. EUR has rates to GBP from the tenth day on, USD has none.
    """
    rng = random.Random(seed)
    shop = SyntheticShop()
    sellers = [shop.add_seller(f"Seller {number}") for number in range(3)]
    categories = [shop.add_category(f"Category {number}") for number in range(4)]
    listed = []
    for number in range(products):
        seller = rng.choice(sellers)
        price = f"{rng.randint(100, 9999) / 100:.2f}"
        product, variant = shop.add_product(
            seller, rng.choice(categories), f"Product {number}", price=price, stock=rng.randint(0, 30)
        )
        listed.append((product, variant, seller, price))
    people = [shop.new_id() for _ in range(users)]
    # every third day has no orders, so that trading days and calendar days differ
    open_days = [day for day in range(days) if day % 3 != 2]
    moments = sorted(
        START + timedelta(days=rng.choice(open_days), seconds=rng.randrange(86_400)) for _ in range(orders)
    )
    for number, moment in enumerate(moments):
        currency = "EUR" if number % 6 == 5 else "USD" if number % 17 == 16 else "GBP"
        _random_order(shop, rng, listed, people, moment, currency=currency)
    for number, (product, _, seller, _) in enumerate(listed):
        for place, user in enumerate(people[: number % 5]):
            shop.add_review(product, seller, user, 1 + (number + place) % 5, moments[(7 * place + number) % orders])
    for number, rate in ((9, "0.86510000"), (30, "0.84333333"), (44, "0.90000000")):
        shop.add_rate("EUR", "GBP", (START + timedelta(days=number)).date(), rate)
    product, _, seller, _ = listed[0]
    for number in range(5):
        shop.add_traced_review(
            product, seller, 5, START + timedelta(days=number), place="ring", age=timedelta(days=100)
        )
    return shop


def _random_order(
    shop: SyntheticShop,
    rng: random.Random,
    listed: list[tuple[str, str, str, str]],
    people: list[str],
    moment: datetime,
    *,
    currency: str,
) -> None:
    chosen = rng.sample(listed, rng.randint(1, 4))
    lines = [(product, variant, seller, rng.randint(1, 5), price) for product, variant, seller, price in chosen]
    user = rng.choice(people) if rng.random() < 0.8 else None
    fate = rng.random()
    cancelled = moment + timedelta(hours=rng.choice([0, 60])) if fate < 0.15 else None
    _, items = shop.add_order(lines, moment, user, cancelled_at=cancelled, currency=currency)
    for _, variant, _, quantity, _ in lines:
        shop.move_stock(variant, -quantity, "sale", moment)
    if fate > 0.85:
        asked = moment + timedelta(days=rng.randint(1, 6))
        shop.add_return(items[0], 1, asked, asked + timedelta(days=2) if rng.random() < 0.7 else None)


def write_lake(
    lake: Path | str, rows: Mapping[str, list[Row]], *, lsn: int, as_of: datetime, contract: Contract | None = None
) -> Watermark:
    """Write the rows as the whole state of every table at `lsn`, and append a watermark.

    A second call on the same lake replaces the state.
    """
    contract = contract or load_contract(CONTRACT)
    unknown = set(rows) - set(contract.by_name)
    if unknown:
        raise KeyError(f"not in the contract: {sorted(unknown)}")
    versions: dict[str, TableVersion] = {}
    for table in contract.tables:
        changes, current = ensure_changes(str(lake), table), ensure_current(str(lake), table)
        full = [
            {name: row.get(name) for name in table.names} | {"_commit_lsn": lsn} for row in rows.get(table.name, [])
        ]
        version = commit_rows(current, pa.Table.from_pylist(full, schema=table.current_schema), lsn, mode="overwrite")
        versions[table.name] = TableVersion(changes.version(), version, folded_lsn=lsn)
    mark = Watermark(lsn, as_of, as_of, versions)
    write_watermark(open_watermarks(str(lake)), mark)
    return mark


def write_pairs(lake: Path, rows: Rows, *, lsn: int) -> list[Row]:
    """Commit `derived/co_purchase` as a Spark run at `lsn` would, counted in plain Python; returns its rows.

    These shops stay below the job's limits (orders of at most 100 products, 100 partners).
    """
    cancelled = {row["order_id"] for row in rows["orders"] if row["status"] == "cancelled"}
    baskets: dict[object, set[str]] = defaultdict(set)
    for line in rows["order_items"]:
        if line["order_id"] not in cancelled:
            baskets[line["order_id"]].add(str(line["product_id"]))
    orders = Counter(product for basket in baskets.values() for product in basket)
    together = Counter(pair for basket in baskets.values() for pair in permutations(sorted(basket), 2))
    pairs: list[Row] = [
        {
            "product_a": a,
            "product_b": b,
            "orders_together": count,
            "orders_a": orders[a],
            "orders_b": orders[b],
            "support": count / len(baskets),
            "confidence": count / orders[a],
            "lift": count * len(baskets) / (orders[a] * orders[b]),
        }
        for (a, b), count in together.items()
        if count >= 2
    ]
    file = Path(derived_uri(lake, "co_purchase")) / f"run-{lsn}" / "part-0.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(pairs, schema=CO_PURCHASE), file)
    metadata = {"watermarkLsn": str(lsn), "watermarkLsnText": format_lsn(lsn)}
    commit_files(lake, "co_purchase", [file], CO_PURCHASE, metadata=metadata)
    return pairs


def dump(rows: Rows) -> str:
    """The rows as text, to show the data of a failing seed."""
    return json.dumps(rows, default=str, indent=1)
