"""A synthetic lake that moves on: random changes of a shop's rows, in the change logs as CDC would write them."""

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from tests.harness.synthetic_lake import CONTRACT, Row, Rows, SyntheticShop
from warehouse.cdc.hotlog import HotLog
from warehouse.contract import Table, load_contract
from warehouse.lake.catalog import ensure_changes
from warehouse.lake.commit import commit_rows
from warehouse.lake.hot import hot_folder
from warehouse.lake.watermark import Watermark, latest_watermark, mark_document, open_watermarks, write_watermark


@dataclass
class LakeHistory:
    """The lake at `mark` holds `shop.rows`; each `commit` appends what has changed in them since the last one."""

    lake: Path
    shop: SyntheticShop
    mark: Watermark
    known: Rows = field(init=False)
    truncated: tuple[str, ...] = ()
    """Tables that the next commit truncates before it writes their rows."""
    _hot: HotLog | None = None

    def __post_init__(self) -> None:
        self.known = copy.deepcopy(self.shop.rows)

    def commit_hot(self) -> None:
        """The same in the hot log: a transaction that no Delta commit holds yet, and its watermark."""
        lsn, moment = self.mark.lsn + 16, self.mark.commit_ts + timedelta(seconds=60)
        tables = load_contract(CONTRACT).tables
        batches = [
            (table.name, batch)
            for table in tables
            for batch in self._changes(table, lsn, moment).to_batches()
            if batch.num_rows
        ]
        if self._hot is None:
            self._hot = HotLog(hot_folder(self.lake))
            self._hot.begin(self.mark.lsn, self.mark.commit_ts, mark_document(self.mark))
        self._hot.append(self.mark.lsn, lsn, moment, batches)
        self.known = copy.deepcopy(self.shop.rows)
        newest = latest_watermark(str(self.lake))
        assert newest is not None
        self.mark = newest

    def commit(self, *, seconds: float = 60.0) -> Watermark:
        """One transaction with every changed row, and its watermark."""
        lsn, moment = self.mark.lsn + 16, self.mark.commit_ts + timedelta(seconds=seconds)
        versions = dict(self.mark.versions)
        for table in load_contract(CONTRACT).tables:
            rows = self._changes(table, lsn, moment)
            if rows.num_rows:
                version = commit_rows(ensure_changes(str(self.lake), table), rows, lsn)
                versions[table.name] = replace(versions[table.name], changes=version)
        self.known, self.truncated = copy.deepcopy(self.shop.rows), ()
        self.mark = Watermark(lsn, moment, moment, versions)
        write_watermark(open_watermarks(str(self.lake)), self.mark)
        return self.mark

    def _changes(self, table: Table, lsn: int, moment: datetime) -> pa.Table:
        """The rows of the change log for what has changed in one table."""
        gone = table.name in self.truncated
        rows = _log(table, [] if gone else self.known.get(table.name, []), self.shop.rows.get(table.name, []))
        rows = [("t", {}), *rows] if gone else rows
        full = [
            {name: row.get(name) for name in table.names}
            | {"_op": op, "_commit_lsn": lsn, "_ordinal": number, "_commit_ts": moment}
            for number, (op, row) in enumerate(rows)
        ]
        return pa.Table.from_pylist(full, schema=table.changes_schema)


def _log(table: Table, before: list[Row], after: list[Row]) -> list[tuple[str, Row]]:
    """(operation, row) of each difference; a changed row comes twice, as an earlier update would make it."""
    old, new = ({tuple(row.get(name) for name in table.primary_key): row for row in rows} for rows in (before, after))
    found = [("d", {name: old[key][name] for name in table.primary_key}) for key in old.keys() - new.keys()]
    for key, row in new.items():
        if key not in old:
            found.append(("i", row))
        elif row != old[key]:
            found += [("u", old[key]), ("u", row)]
    return found


@dataclass
class RandomChanges:
    """Changes a shop at random: every kind of event that the marts follow, and some that they do not."""

    shop: SyntheticShop
    rng: random.Random
    now: datetime

    def make(self, kind: str) -> None:
        """One change of a kind in `KINDS`."""
        self.now += timedelta(minutes=self.rng.randint(1, 400))
        KINDS[kind](self)

    def _any(self, table: str) -> Row:
        return self.rng.choice(self.shop.rows[table])

    def order(self) -> None:
        chosen = self.rng.sample(self.shop.rows["product_variants"], self.rng.randint(1, 4))
        products = {row["product_id"]: row for row in self.shop.rows["products"]}
        lines = [
            (str(row["product_id"]), str(row["variant_id"]), str(products[row["product_id"]]["seller_id"]),
             self.rng.randint(1, 5), f"{self.rng.randint(100, 9999) / 100:.2f}")
            for row in chosen
        ]  # fmt: skip
        users = [str(row["user_id"]) for row in self.shop.rows["orders"] if row["user_id"]]
        back = timedelta(days=self.rng.choice([0, 0, 0, 1, 20]))
        currency = self.rng.choice(["GBP", "GBP", "EUR", "USD"])
        self.shop.add_order(lines, self.now - back, self.rng.choice([*users, None]), currency=currency)

    def rate(self) -> None:
        self.shop.rows["exchange_rates"][:] = [
            row for row in self.shop.rows["exchange_rates"] if row["day"] != self.now.date()
        ]
        self.shop.add_rate("EUR", "GBP", self.now.date(), f"0.{self.rng.randint(70, 99)}")

    def cancel(self) -> None:
        placed = [row for row in self.shop.rows["orders"] if row["status"] != "cancelled"]
        order = self.rng.choice(placed)
        order |= {"status": "cancelled", "updated_at": self.now}
        self.shop.add(
            "order_events", order_event_id=self.shop.new_id(), order_id=order["order_id"], sequence=9,
            to_status="cancelled", actor_kind="user", created_at=self.now,
        )  # fmt: skip

    def ship(self) -> None:
        self._any("orders")["updated_at"] = self.now

    def ask_return(self) -> None:
        returned = {row["order_item_id"] for row in self.shop.rows["returns"]}
        lines = [row for row in self.shop.rows["order_items"] if row["order_item_id"] not in returned]
        if lines:
            refunded = self.now if self.rng.random() < 0.5 else None
            self.shop.add_return(str(self.rng.choice(lines)["order_item_id"]), 1, self.now, refunded)

    def refund(self) -> None:
        asked = [row for row in self.shop.rows["returns"] if row["status"] == "requested"]
        if asked:
            returned = self.rng.choice(asked)
            returned.update(status="refunded")
            step = next(row for row in self.shop.rows["return_events"] if row["return_id"] == returned["return_id"])
            self.shop.add("return_events", **step | {"to_status": "refunded", "created_at": self.now})

    def touch_return(self) -> None:
        self._any("returns")["updated_at"] = self.now

    def reprice(self) -> None:
        self._any("products")["base_price"] = Decimal(self.rng.randint(100, 9999)) / 100

    def retitle(self) -> None:
        self._any("products")["title"] = f"Renamed {self.rng.randint(0, 99)}"

    def recategorise(self) -> None:
        self._any("products")["category_id"] = self._any("categories")["category_id"]

    def move_product(self) -> None:
        self._any("products")["seller_id"] = self._any("sellers")["seller_id"]

    def unlist(self) -> None:
        self._any("products")["deleted_at"] = self.now

    def review(self) -> None:
        """New accounts of few places praise or blame few products."""
        product = self.rng.choice(self.shop.rows["products"][:2])
        seller, stars, place = str(product["seller_id"]), self.rng.choice([1, 5]), self.rng.choice(["ring", "other"])
        age = timedelta(days=self.rng.choice([1, 3, 100]))
        self.shop.add_traced_review(str(product["product_id"]), seller, stars, self.now, place=place, age=age)

    def unreview(self) -> None:
        """Its author deletes the oldest review that has signals."""
        if signals := self.shop.rows["review_signals"]:
            gone = signals.pop(0)["review_id"]
            rows = self.shop.rows["reviews_by_user"]
            self.shop.rows["reviews_by_user"] = [row for row in rows if row["review_id"] != gone]

    def judge_review(self) -> None:
        """Its author edits a review, an administrator decides about it, or its product arrives."""
        self._any("reviews_by_user").update(
            rating=self.rng.randint(1, 5),
            status=self.rng.choice(["published", "published", "queued", "rejected"]),
            verified_purchase=self.rng.random() < 0.5,
            updated_at=self.now,
        )

    def look(self) -> None:
        self._any("products")["updated_at"] = self.now

    def restock(self) -> None:
        self._any("product_variants")["stock_quantity"] = self.rng.randint(0, 50)

    def reserve(self) -> None:
        variant = self._any("product_variants")["variant_id"]
        stock = self.shop.rows.setdefault("warehouse_stock", [])
        for row in stock:
            if row["variant_id"] == variant:
                row["reserved"] = self.rng.randint(0, 9)
                return
        self.shop.add(
            "warehouse_stock", variant_id=variant, warehouse_id=self.shop.new_id(), available=5, reserved=2, inbound=1,
        )  # fmt: skip

    def rename_category(self) -> None:
        self._any("categories")["path"] = f"Things > {self.rng.randint(0, 99)}"

    def rename_seller(self) -> None:
        self._any("sellers")["name"] = f"Seller {self.rng.randint(0, 99)}"

    def list_product(self) -> None:
        seller = self.shop.add_seller("New") if self.rng.random() < 0.3 else str(self._any("sellers")["seller_id"])
        self.shop.add_product(seller, str(self._any("categories")["category_id"]), "New product", at=self.now)

    def erase_order(self) -> None:
        order = self._any("orders")["order_id"]
        for table in ("orders", "order_items", "order_events", "returns", "return_events"):
            rows = self.shop.rows[table]
            self.shop.rows[table] = [row for row in rows if row.get("order_id") != order]


KINDS: dict[str, Callable[[RandomChanges], None]] = {
    name: getattr(RandomChanges, name)
    for name in (
        *(
            "order",
            "rate",
            "cancel",
            "ship",
            "ask_return",
            "refund",
            "touch_return",
            "review",
            "unreview",
            "judge_review",
            "reprice",
            "retitle",
            "recategorise",
            "move_product",
        ),
        *("unlist", "look", "restock", "reserve", "rename_category", "rename_seller", "list_product", "erase_order"),
    )
}
