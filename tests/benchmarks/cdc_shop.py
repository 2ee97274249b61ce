"""The shop's published tables without its constraints, orders as the shop writes them, and the real process on both."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psycopg

from warehouse.contract import Contract, load_contract
from warehouse.lake.read import latest_watermark

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "warehouse" / "contracts" / "oltp.json"
TICKS = os.sysconf("SC_CLK_TCK")
_TYPES = {
    "jsonb": "jsonb",
    "timestamptz": "timestamptz",
    "uuid": "uuid",
    "text": "text",
    "date": "date",
    "bool": "bool",
}
PRODUCTS = 2_000
# One order of two lines: the cart, the order with its reservations, the payment, and what the relay marks: four
# transactions, 33 changes in 11 tables. Identifiers are ordered by time, as the shop's are (`api/kernel/ids.py`).
PLACE = """
create procedure place_order(n int8) language plpgsql as $$
declare
  id uuid := uuidv7(); cart uuid := uuidv7(); chosen uuid[]; place uuid := md5('w')::uuid;
begin
  chosen := array[md5('v' || n * 7 % {products})::uuid, md5('v' || (n * 7 + 1) % {products})::uuid];
  insert into carts (cart_id, user_id, version, expires_at, created_at, updated_at)
    values (cart, uuidv7(), 1, now(), now(), now());
  insert into cart_items (cart_item_id, cart_id, product_id, variant_id, quantity, price_at_addition, created_at,
    updated_at) select uuidv7(), cart, v, v, 1, 12.99, now(), now() from unnest(chosen) v;
  commit;
  insert into orders (order_id, order_number, user_id, status, currency, subtotal, tax, shipping_fee, discount, total,
    payment_method, payment_status, country, delivery_speed, estimated_delivery, actual_delivery, origin, created_at,
    updated_at) values (id, 'SK-' || n, uuidv7(), 'pending', 'USD', 25.98, 2.08, 4.99, 0, 33.05, 'card',
    'pending', 'US', 'standard', current_date + 4, null, 'native', now(), now());
  insert into order_items (order_item_id, order_id, product_id, variant_id, seller_id, warehouse_id, quantity,
    price_at_purchase, subtotal, title, sku, attributes, image_url, discount, tax_rate, tax_amount, tax_included,
    tax_class, status, created_at)
    select uuidv7(), id, v, v, v, place, 1, 12.99, 12.99, 'A thing', 'sku ' || v, '{{"color": "red"}}',
      '/api/v1/products/' || v || '/image.svg', 0, 0.08, 1.04, false, 'standard', 'pending', now()
    from unnest(chosen) v;
  insert into order_events values (uuidv7(), id, 1, null, 'pending', 'user', null, now());
  insert into inventory_reservations select uuidv7(), id, id, v, place, 1, 'held', now(), now(), now()
    from unnest(chosen) v;
  update warehouse_stock set available = available - 1, reserved = reserved + 1 where variant_id = any(chosen);
  update product_variants set stock_quantity = stock_quantity - 1 where variant_id = any(chosen);
  insert into outbox_events values (uuidv7(), 'order', id, 1, 'order.placed',
    jsonb_build_object('orderId', id, 'total', '33.05', 'currency', 'USD'), 'native', now(), null, 0, null);
  commit;
  insert into payments values (uuidv7(), id, id, 'sandbox', 'key-' || n, 'ref-' || n, 'card', 'captured',
    33.05, 33.05, 0, 'USD', 'native', now(), now());
  update orders set status = 'confirmed', payment_status = 'paid', updated_at = now() where order_id = id;
  update order_items set status = 'confirmed' where order_id = id;
  insert into order_events values (uuidv7(), id, 2, 'pending', 'confirmed', 'system', null, now());
  update inventory_reservations set status = 'used', updated_at = now() where order_id = id;
  update warehouse_stock set reserved = reserved - 1 where variant_id = any(chosen);
  insert into inventory_transactions select uuidv7(), n * 2, v, place, -1, 'sale', id, 10, 9, now()
    from unnest(chosen) v;
  delete from cart_items where cart_id = cart;
  insert into outbox_events values (uuidv7(), 'order', id, 2, 'order.paid',
    jsonb_build_object('orderId', id, 'total', '33.05', 'currency', 'USD'), 'native', now(), null, 0, null);
  commit;
  update outbox_events set published_at = now(), attempts = 1 where aggregate_id = id;
  commit;
end $$
"""


def contract() -> Contract:
    """The shop's published tables."""
    return load_contract(CONTRACT)


def create(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """The tables of the contract with the columns of the contract, products to sell, and the procedure."""
    for table in contract().tables:
        columns = ", ".join(
            f'"{column.name}" ' + (f"numeric({column.precision},{column.scale})" if column.type == "numeric"
                                   else _TYPES.get(column.type, column.type))
            for column in table.columns
        )  # fmt: skip
        key = ", ".join(table.primary_key)
        connection.execute(f"create table {table.name} ({columns}, primary key ({key}))".encode())
        if table.replica_identity == "full":
            connection.execute(f"alter table {table.name} replica identity full".encode())
    for by in ("orders (order_id)", "order_items (order_id)", "inventory_reservations (order_id)",
               "cart_items (cart_id)", "outbox_events (aggregate_id)"):  # fmt: skip
        connection.execute(f"create index on {by}".encode())
    names = ", ".join(contract().by_name)
    connection.execute(f"create publication {contract().publication} for table {names}".encode())
    connection.execute(
        b"insert into product_variants select md5('v' || i)::uuid, md5('p' || i)::uuid, 'sku ' || i, '{}', 12.99, 1000,"
        b" null, now(), now() from generate_series(0, " + str(PRODUCTS).encode() + b" - 1) i"
    )
    connection.execute(
        b"insert into warehouse_stock select variant_id, md5('w')::uuid, 1000, 0, 0, now() from product_variants"
    )
    connection.execute(PLACE.format(products=PRODUCTS).encode())


@contextmanager
def replicating(
    url: str, home: Path, document: Mapping[str, object] | None = None
) -> Iterator[tuple[Path, "subprocess.Popen[bytes]"]]:
    """Run the real process with default settings on the shop's contract or another one; yields its lake when it
    streams."""
    home.mkdir()
    path = CONTRACT
    if document is not None:
        path = home / "contract.json"
        path.write_text(json.dumps(document))
    settings = {
        "DATABASE_URL": url,
        "SOUK_HOME": str(home),
        "SOUK_CONTRACT_PATH": str(path),
        "SOUK_CDC_SLOT": f"bench_{home.name}",
    }
    ours = ("SOUK_", "REPLICATION_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | settings
    process = subprocess.Popen([sys.executable, "-m", "warehouse.cdc"], env=environment, cwd=ROOT)
    status = home / "run" / "cdc-status.json"
    try:
        while not (status.exists() and json.loads(status.read_text())["state"] == "streaming"):
            if process.poll() is not None:
                raise RuntimeError(f"warehouse.cdc ended with {process.returncode}")
            time.sleep(0.1)
        yield home / "lake", process
    finally:
        process.terminate()
        process.wait(60)


def cpu_seconds(process: "subprocess.Popen[bytes]") -> float:
    """Processor time of a process that runs, its threads included."""
    fields = Path("/proc", str(process.pid), "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_bytes(process: "subprocess.Popen[bytes]", name: str = "VmRSS") -> int:
    """Resident memory now; VmHWM is the most so far."""
    lines = Path("/proc", str(process.pid), "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def place_orders(url: str, first: int, count: int, per_second: float) -> None:
    """Place orders at a steady rate; at once when the rate is 0. Postgres does not wait for its disk: four commits an
    order would otherwise bound the rate."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set synchronous_commit = off")
        began = time.perf_counter()
        for number in range(count):
            connection.execute("call place_order(%s)", (first + number,))
            if per_second:
                time.sleep(max(began + (number + 1) / per_second - time.perf_counter(), 0))


def reach(url: str, lake: Path, seconds: float = 300) -> None:
    """Wait until the lake holds what is committed now."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("select (pg_logical_emit_message(true, 'souk.bench', '') - '0/0')::int8").fetchone()
    assert row is not None
    deadline = time.monotonic() + seconds
    while (mark := latest_watermark(lake)) is None or mark.lsn < int(str(row[0])):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the lake has not reached {row[0]} after {seconds:.0f} s")
        time.sleep(0.1)


class Watch:
    """Records when each watermark first becomes visible to a reader, to about 5 ms."""

    def __init__(self, lake: Path) -> None:
        self.seen: list[tuple[int, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(lake,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self, lake: Path) -> None:
        while not self._ended.wait(0.005):
            mark = latest_watermark(lake)
            if mark is not None and (not self.seen or mark.lsn > self.seen[-1][0]):
                self.seen.append((mark.lsn, time.perf_counter()))

    def wait_of(self, lsn: int, since: float) -> float:
        """Seconds from `since` until a reader saw the lake at or past `lsn`."""
        return next(at for reached, at in self.seen if reached >= lsn) - since
