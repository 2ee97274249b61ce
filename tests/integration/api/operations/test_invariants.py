"""Each check is broken once by hand, and exactly that check must see it; on an unbroken shop none may speak."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from api.operations.invariants.checks import CHECKS
from api.operations.invariants.gateway import Gateway
from api.operations.invariants.run import checked, violations
from tests.harness import prefork
from tests.harness.api import Server
from tests.harness.breaks import (
    CANCELLED,
    CLAIMED,
    DELIVERED,
    DISCOUNTED,
    EDIT,
    EXCHANGE,
    HOLD,
    KEY,
    LABEL,
    MOVED_BACK,
    ONE_LESS,
    ONE_MORE,
    PARCELS,
    PROMOTION,
    REFUNDED,
    RESERVATION,
    SCANNED,
    STOCK,
    UNTOUCHED,
    VARIANT,
    WAITS_IN_VAIN,
    used,
)
from tests.harness.buying import SANDBOX_KEY, running_sandbox
from tests.harness.catalog_breaks import OF_CATALOG
from tests.harness.history import TINY, load, loaded, tiny_marketplace
from tests.harness.postgres import PostgresHarness
from tests.harness.reviews import OF_REVIEWS

# What breaks each check and no other. Constraints that would forbid it are dropped first: the check must not lean on
# them.
BREAKS: dict[str, tuple[str, ...]] = {
    **OF_CATALOG,
    **OF_REVIEWS,
    "R-I43-decided": ("update search_synonyms set state = 'removed'",),
    "R-I19-redeemed": (PROMOTION.format(redeemed=1, total="null", buyer="null"),),
    "R-I19-limit": ("alter table promotions drop constraint ck_promotions_redeemed", *used(orders=2, total="1")),
    "R-I19-buyer": used(orders=2, buyer="1"),
    "R-I19-order": used(status="cancelled"),
    "R-I19-counted": (f"update orders set redemptions = 1 where order_id = {DELIVERED}",),
    "R-I19-lines": (*used(discount="0.01"), DISCOUNTED),
    "R-I19-discount": used(discount="0.01"),
    "R-I38-price": (
        (
            "update order_items set kit = jsonb_build_object('variantId', variant_id, 'quantity', 1, 'price', '0.01')"
            f" where order_id = {DELIVERED}"
        ),
    ),
    "R-I38-units": (
        (
            "update order_items set kit = jsonb_build_object('variantId', variant_id, 'quantity', 2 * quantity,"
            " 'price', (subtotal / (2 * quantity))::text)"
            " where order_item_id = (select order_item_id from order_items"
            f" where order_id = {DELIVERED} order by order_item_id limit 1)"
        ),
    ),
    "R-I1-stock": (
        "alter table product_variants drop constraint ck_product_variants_stock",
        "alter table warehouse_stock drop constraint ck_warehouse_stock_available",
        f"update warehouse_stock set available = -1 where variant_id = {VARIANT}",
        (
            "insert into inventory_transactions (transaction_id, variant_id, quantity_change, transaction_type,"
            " previous_quantity, new_quantity) select gen_random_uuid(), variant_id, -1 - stock_quantity,"
            f" 'adjustment', stock_quantity, -1 from product_variants where variant_id = {VARIANT}"
        ),
        f"update product_variants set stock_quantity = -1 where variant_id = {VARIANT}",
    ),
    "R-I2-sum": (
        f"update product_variants set stock_quantity = stock_quantity + 1 where variant_id = {VARIANT}",
        f"update warehouse_stock set available = available + 1 where variant_id = {VARIANT}",
    ),
    "R-I2-chain": (
        "alter table inventory_transactions disable trigger user",
        (
            "update inventory_transactions set previous_quantity = previous_quantity + 1, new_quantity = new_quantity"
            " + 1 where transaction_no = (select max(transaction_no) from inventory_transactions where variant_id ="
            f" {VARIANT})"
        ),
    ),
    "R-I2-warehouses": (f"update warehouse_stock set available = available + 1 where variant_id = {VARIANT}",),
    "R-I2-transfer": (
        (
            "insert into inventory_transactions (transaction_id, variant_id, warehouse_id, quantity_change,"
            " transaction_type, reference_id, previous_quantity, new_quantity) select gen_random_uuid(), variant_id,"
            " null, 0, 'transfer', gen_random_uuid(), stock_quantity, stock_quantity from product_variants where"
            f" variant_id = {VARIANT}"
        ),
    ),
    "R-I2-inbound": (f"update warehouse_stock set inbound = inbound + 1 where (variant_id, warehouse_id) = {STOCK}",),
    "R-I2-received": (
        (
            "insert into replenishments (replenishment_id, variant_id, warehouse_id, quantity, received, status) select"
            " gen_random_uuid(), variant_id, warehouse_id, 2, 2, 'received' from warehouse_stock where variant_id ="
            f" {VARIANT} limit 1"
        ),
    ),
    "R-I3-sweep": (RESERVATION.format(order="null", status="active", expires="-120 seconds"), HOLD),
    "R-I3-order": (RESERVATION.format(order=DELIVERED, status="released", expires="600 seconds"),),
    "R-I3-held": (HOLD,),
    "R-I4-total": (
        "alter table orders drop constraint ck_orders_total",
        f"update orders set shipping_fee = shipping_fee + 1 where order_id = {DELIVERED}",
    ),
    "R-I4-lines": (f"update order_items set tax_amount = tax_amount + 0.01 where order_id = {CANCELLED}",),
    "R-I4-snapshot": (f"update order_items set title = null where order_id = {CANCELLED}",),
    "R-I4-items": (
        f"delete from order_items where order_id = {CANCELLED}",
        f"delete from parcels where order_id = {CANCELLED}",
    ),
    "R-I5-captured": (
        f"update payments set amount = amount + 1, captured_amount = captured_amount + 1 where order_id = {DELIVERED}",
    ),
    "R-I5-due": (
        EDIT.format(point="completed", cancelled=0, refunded=0, payment="null"),
        f"update orders set edits = 1 where order_id = {UNTOUCHED}",
        (
            "insert into refunds (refund_id, payment_id, order_id, gateway_key, amount, goods_amount, tax_amount,"
            " shipping_amount) select gen_random_uuid(), payment_id, order_id, 'k', 0.01, 0.01, 0, 0 from payments"
            f" where order_id = {UNTOUCHED}"
        ),
    ),
    "R-I20-claim": (f"update orders set edited_by = gen_random_uuid() where order_id = {UNTOUCHED}",),
    "R-I20-count": (f"update orders set edits = 1 where order_id = {UNTOUCHED}",),
    "R-I20-paid": (
        EDIT.format(
            point="failed",
            cancelled=0,
            refunded=0,
            payment=f"(select payment_id from payments where order_id = {UNTOUCHED})",
        ),
    ),
    "R-I20-units": (
        EDIT.format(point="completed", cancelled=1, refunded=1, payment="null"),
        f"update orders set edits = 1 where order_id = {UNTOUCHED}",
    ),
    "R-I5-cancelled": (f"update payments set captured_amount = amount where order_id = {CANCELLED}",),
    "R-I7-refunds": (
        f"update payments set refunded_amount = 0.01 where order_id = {DELIVERED} and refunded_amount = 0",
    ),
    "R-I7-returns": (
        (
            "update returns set quantity = quantity + 100 where order_id in (select order_id from orders where status ="
            " 'delivered')"
        ),
    ),
    "R-I7-adjusted": (
        (
            "update returns set reason_code = 'lost_parcel', goods_amount = goods_amount + 1000000, shipping_amount ="
            " shipping_amount - 1000000 where status <> 'rejected' and order_id in (select order_id from orders where"
            " status = 'delivered')"
        ),
    ),
    "R-I7-whole": (
        "alter table returns drop constraint ck_returns_parts",
        f"update order_items set tax_amount = tax_amount - 0.01 where order_id = {REFUNDED}",
        f"update orders set shipping_fee = shipping_fee + 0.01, tax = tax - 0.01 where order_id = {REFUNDED}",
    ),
    "R-I7-parts": (
        "alter table returns drop constraint ck_returns_parts",
        f"update returns set shipping_amount = shipping_amount + 1 where order_id = {REFUNDED}",
    ),
    "R-I7-refund-parts": (
        "alter table refunds drop constraint ck_refunds_parts",
        "update refunds set goods_amount = goods_amount + 1",
    ),
    "R-I7-refundable": (
        (
            "insert into refunds (refund_id, payment_id, order_id, gateway_key, amount, goods_amount, tax_amount,"
            " shipping_amount) select gen_random_uuid(), payment_id, order_id, 'x', captured_amount + 1,"
            f" captured_amount + 1, 0, 0 from payments where order_id = {DELIVERED}"
        ),
    ),
    "R-I7-return-events": (
        "alter table return_events disable trigger user",
        "delete from return_events where to_status = 'refunded'",
    ),
    "R-I8-sequence": (
        "alter table outbox_events disable trigger user",
        "update outbox_events set sequence = sequence + 10 where aggregate_type = 'load'",
    ),
    "R-I8-transition": (
        (
            "insert into outbox_events (event_id, aggregate_type, aggregate_id, sequence, event_type, payload) select"
            " gen_random_uuid(), 'order', order_id, 1 + max(sequence), 'OrderDelivered', '{}' from order_events"
            f" where order_id = {DELIVERED} group by order_id"
        ),
    ),
    "R-I8-imported": ("update outbox_events set published_at = null where aggregate_type = 'load'",),
    "R-I9-response": (
        "alter table idempotency_keys drop constraint ck_idempotency_keys_response",
        KEY.format(status="done", locked="30 seconds", response="null, null"),
    ),
    "R-I9-lease": (KEY.format(status="in_progress", locked="-120 seconds", response="null, null"),),
    "R-I9-unique": (
        "alter table idempotency_keys drop constraint pk_idempotency_keys",
        KEY.format(status="done", locked="30 seconds", response="200, '{}'"),
        KEY.format(status="done", locked="30 seconds", response="200, '{}'"),
    ),
    "R-I10-start": (
        "alter table order_events disable trigger user",
        f"update order_events set from_status = 'confirmed' where order_id = {DELIVERED} and sequence = 1",
    ),
    "R-I10-path": (
        "alter table order_events disable trigger user",
        f"update order_events set from_status = 'pending' where order_id = {DELIVERED} and sequence = 3",
    ),
    "R-I16-claims": (CLAIMED.format(column="claimed_by", value="gen_random_uuid()"),),
    "R-I16-order": (CLAIMED.format(column="ordered_by", value="gen_random_uuid()"),),
    "R-I10-end": (
        "alter table order_events disable trigger user",
        "alter table outbox_events disable trigger user",
        f"delete from order_events where (order_id, to_status) = ({DELIVERED}, 'delivered')",
        f"delete from outbox_events where (aggregate_id, event_type) = ({DELIVERED}, 'OrderDelivered')",
    ),
    "R-I25-money": ("alter table invoices disable trigger user", ONE_MORE),
    "R-I25-numbers": ("update invoice_counters set last = last + 1",),
    "R-I25-content": (
        "alter table invoices disable trigger user",
        "update invoices set content = content || jsonb_build_object('net', net + 1)",
    ),
    "R-I25-sign": (
        "alter table invoices disable trigger user",
        ONE_MORE,
        ONE_LESS,
        "update invoice_counters set last = 2",
    ),
    "R-I25-late": (
        f"update parcels set origin = 'native', shipped_at = now() - interval '1 hour' where order_id = {DELIVERED}",
    ),
    "R-I17-lines": (
        "alter table order_items disable trigger user",
        f"update order_items set status = 'shipped' where order_id = {DELIVERED}",
    ),
    "R-I17-order": (
        "alter table parcels disable trigger user",
        "alter table order_items disable trigger user",
        f"update parcels set status = 'shipped' where order_id = {DELIVERED}",
        f"update order_items set status = 'shipped' where order_id = {DELIVERED}",
        "alter table parcel_events disable trigger user",
        f"delete from parcel_events where parcel_id in {PARCELS} and to_status = 'delivered'",
    ),
    "R-I17-numbers": (f"update parcels set number = number + 1 where order_id = {DELIVERED}",),
    "R-I17-address": (f"update parcels set shipping_address = '{{}}' where order_id = {DELIVERED}",),
    "R-I17-path": (
        "alter table parcel_events disable trigger user",
        f"update parcel_events set from_status = 'pending' where parcel_id in {PARCELS} and sequence = 3",
    ),
    "R-I17-end": (
        "alter table parcel_events disable trigger user",
        f"delete from parcel_events where parcel_id in {PARCELS} and to_status = 'delivered'",
    ),
    "R-I31-owed": (
        "alter table warehouse_stock drop constraint ck_warehouse_stock_owed",
        "alter table warehouse_stock drop constraint ck_warehouse_stock_covered",
        f"update warehouse_stock set owed = 1, available = available + 1 where (variant_id, warehouse_id) = {STOCK}",
        f"update product_variants set owed = 1, stock_quantity = stock_quantity + 1 where variant_id = {VARIANT}",
    ),
    "R-I31-ready": WAITS_IN_VAIN,
    "R-I30-scans": (LABEL.format(carriage="'in_transit'", due="false", status="delivered"),),
    "R-I30-moved": (*MOVED_BACK, LABEL.format(carriage="'delivered'", due="false", status="shipped"), SCANNED),
    "R-I30-due": (LABEL.format(carriage="null", due="true", status="delivered"), SCANNED),
    "R-I30-lost": (
        (
            "update parcels set lost_at = now() where parcel_id = (select parcel_id from parcels where number = 2"
            " and status = 'delivered' limit 1)"
        ),
    ),
    "R-I30-one": (
        "drop index uq_parcel_labels_live",
        LABEL.format(carriage="null", due="false", status="delivered"),
        LABEL.format(carriage="null", due="false", status="delivered").replace("'SBX'", "'SBY'"),
    ),
    "R-I21-returned": (EXCHANGE.format(point="completed", order=CANCELLED),),
    "R-I21-placed": (
        (
            "insert into checkouts (checkout_id, actor_key, idempotency_key, recovery_point, request, lease_token,"
            " lease_expires_at) values (gen_random_uuid(), 'a', 'exchange-' || gen_random_uuid(), 'completed', '{}',"
            " gen_random_uuid(), now())"
        ),
    ),
    "R-I30-return": (
        LABEL.format(carriage="null", due="false", status="refunded"),
        "update parcel_labels set return_id = (select return_id from returns limit 1)",
    ),
    "R-I19-used": (
        f"update reviews set order_id = null, verified_purchase = false where order_id = {DELIVERED}",
        f"update reviews_by_user set order_id = null, verified_purchase = false where order_id = {DELIVERED}",
        f"update orders set user_id = null where order_id = {DELIVERED}",
        (
            "insert into order_tokens (token_id, token_hash, purpose, order_id, expires_at, used_at) select"
            f" gen_random_uuid(), '\\x00', 'order', {DELIVERED}, now(), now()"
        ),
    ),
    "R-I19-mail": (
        "alter table outbox_events disable trigger user",
        (
            "insert into mails (mail_id, kind, recipient, data, priority, created_at) values (gen_random_uuid(), 'x',"
            " 'a@example.com', '{}', 1, now() - interval '1 day')"
        ),
        (
            "update outbox_events set origin = 'native', created_at = now(), published_at = now() where event_type ="
            f" 'OrderPlaced' and aggregate_id = {DELIVERED}"
        ),
    ),
    "R-I17-event": (
        (
            "insert into outbox_events (event_id, aggregate_type, aggregate_id, sequence, event_type, payload) select"
            ' gen_random_uuid(), \'parcel\', parcel_id, 1, \'ParcelShipped\', \'{"from": "shipped", "to": "lost"}\''
            f" from parcels where order_id = {DELIVERED} and number = 1"
        ),
    ),
}


@pytest.fixture(scope="module")
def unbroken(marketplace_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A shop with a history. Whoever breaks it does so in a transaction that is rolled back."""
    with psycopg.connect(marketplace_url, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_invariant_is_seen_by_its_check_alone(
    name: str, unbroken: psycopg.Connection[tuple[object, ...]]
) -> None:
    with unbroken.transaction(force_rollback=True):
        for statement in BREAKS[name]:
            assert unbroken.execute(statement.encode()).rowcount != 0, statement
        unbroken.execute("set constraints all immediate")  # as a commit would

        broken = [result.violation for result in checked(unbroken) if result.violation]

    assert [violation.check for violation in broken] == [name]
    assert broken[0].rows >= 1
    assert broken[0].sample


def test_an_unbroken_shop_breaks_nothing(marketplace_url: str) -> None:
    assert violations(marketplace_url) == []


def test_every_check_has_its_negative_control() -> None:
    assert set(BREAKS) | set(GATEWAY_BREAKS) == {check.name for check in CHECKS}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as server:
        yield server


@pytest.fixture(scope="module")
def shop_url(database_url: str, sandbox: Server) -> str:
    loaded(load(database_url, "marketplace", *TINY, sandbox_url=sandbox.url))
    return database_url


# What the gateway did behind the shop's back: entries added to its ledger; KEY stands for a captured payment's key.
GATEWAY_BREAKS: dict[str, dict[str, str | None]] = {
    "R-I6-payments": {
        "key": "x1",
        "kind": "refund",
        "status": "refunded",
        "parentKey": "KEY",
        "amount": "0.01",
        "reference": "r1",
    },
    "R-I6-gateway": {
        "key": "x2",
        "kind": "authorisation",
        "status": "authorised",
        "parentKey": None,
        "amount": "5.00",
        "reference": "r2",
    },
    "R-I6-twice": {
        "key": "x3",
        "kind": "capture",
        "status": "captured",
        "parentKey": "x2",
        "amount": "5.00",
        "reference": "ORDER",
    },
}


def test_money_that_only_the_gateway_knows_is_seen(shop_url: str, tmp_path: Path) -> None:
    """One ledger, broken step by step: first a refund nobody asked for, then money held for nobody, then a second
    capture of an order."""
    with running_sandbox(tmp_path) as sandbox:
        loaded(load(shop_url, "marketplace", *TINY, sandbox_url=sandbox.url))
        gateways = [Gateway(sandbox.url, SANDBOX_KEY)]
        with psycopg.connect(shop_url) as connection:
            row = connection.execute(
                "select gateway_key, order_id::text from payments where status = 'captured' limit 1"
            ).fetchone()
        assert row is not None
        assert violations(shop_url, gateways) == []
        seen = []
        for entry in GATEWAY_BREAKS.values():
            names = {"KEY": row[0], "ORDER": row[1]}
            line = {key: names.get(value or "", value) for key, value in entry.items()} | {"currency": "USD"}
            answer = httpx.post(
                f"{sandbox.url}/v1/import",
                content=json.dumps(line),
                headers={"Authorization": f"Bearer {SANDBOX_KEY}"},
                trust_env=False,
            )
            assert answer.json()["recorded"] == 1
            seen.append([violation.check for violation in violations(shop_url, gateways)])

    assert seen == [
        ["R-I6-payments"],
        ["R-I6-payments", "R-I6-gateway"],
        ["R-I6-payments", "R-I6-gateway", "R-I6-twice"],
    ]


def test_a_payment_the_gateway_never_took_is_seen(shop_url: str, tmp_path: Path) -> None:
    with running_sandbox(tmp_path) as empty:
        broken = violations(shop_url, [Gateway(empty.url, SANDBOX_KEY)])

    assert [violation.check for violation in broken] == ["R-I6-payments"]
    assert broken[0].rows > 280


def _command(database_url: str, sandbox_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DATABASE_URL": database_url, "SOUK_SANDBOX_URL": sandbox_url, "SOUK_SANDBOX_KEY": SANDBOX_KEY}
    return prefork.run("api.operations.invariants", *arguments, env=env)


def test_the_command_says_yes_in_json(shop_url: str, sandbox: Server) -> None:
    done = _command(shop_url, sandbox.url, "--json")

    document = json.loads(done.stdout)
    assert done.returncode == 0
    assert document["holds"] is True
    assert [check["name"] for check in document["checks"]] == [check.name for check in CHECKS]
    assert (document["skipped"], document["violations"]) == ([], [])


def test_the_command_exits_1_and_names_the_broken_check(postgres_server: PostgresHarness) -> None:
    url = postgres_server.url(postgres_server.fresh_database(tiny_marketplace))
    with psycopg.connect(url) as connection:
        connection.execute(BREAKS["R-I3-held"][0].encode())

    done = _command(url, "http://127.0.0.1:9", "--no-gateway")

    assert done.returncode == 1
    assert "BROKEN R-I3-held" in done.stdout
    assert "skip   R-I6-payments" in done.stdout


def test_the_command_exits_2_when_the_gateway_is_silent(shop_url: str) -> None:
    done = _command(shop_url, "http://127.0.0.1:9", "--json")

    assert (done.returncode, done.stdout) == (2, "")
    assert "--no-gateway skips R-I6" in done.stderr
