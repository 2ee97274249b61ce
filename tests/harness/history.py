"""Small loaded data sets for tests: the real loader on real servers."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from api.catalog.commands.statements import KEEP_FIRST_VERSIONS, KEEP_VERSIONS
from api.operations.load.__main__ import app
from tests.harness.api import ROOT
from tests.harness.buying import SANDBOX_KEY
from tests.harness.postgres import on_migrated

Done: TypeAlias = "subprocess.CompletedProcess[str]"
UNTIL = "2026-06-30T12:00:00"
TINY = ("--products", "150", "--shoppers", "80", "--orders", "300", "--until", UNTIL)


def load(database_url: str, *arguments: str, sandbox_url: str | None = None, home: Path | None = None) -> Done:
    """`python -m api.operations.load ARGUMENTS --json`, run inside this process, which saves its start.

    Without a sandbox URL, `--no-gateway` is added.
    """
    env = _environment(database_url, sandbox_url, home)
    result = CliRunner().invoke(app, _complete(arguments, sandbox_url), env=env)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)


def load_process(database_url: str, *arguments: str, sandbox_url: str | None = None, home: Path | None = None) -> Done:
    """The same in a separate process, as an operator starts it."""
    env = {**os.environ, **_environment(database_url, sandbox_url, home)}
    command = [sys.executable, "-m", "api.operations.load", *_complete(arguments, sandbox_url)]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=600)


def _environment(database_url: str, sandbox_url: str | None, home: Path | None) -> dict[str, str]:
    env = {"DATABASE_URL": database_url, "SOUK_SANDBOX_KEY": SANDBOX_KEY}
    env |= {"SOUK_SANDBOX_URL": sandbox_url} if sandbox_url else {}
    return env | ({"SOUK_HOME": str(home)} if home else {})


def _complete(arguments: tuple[str, ...], sandbox_url: str | None) -> list[str]:
    return [*arguments, *(() if sandbox_url else ("--no-gateway",)), "--json"]


def loaded(done: Done) -> dict[str, Any]:
    """The summary of a load; asserts that it succeeded."""
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


@on_migrated
def tiny_marketplace(database_url: str) -> None:
    """A small marketplace, for use as a template: `postgres_server.fresh_database(tiny_marketplace)`."""
    loaded(load(database_url, "marketplace", *TINY))
    with psycopg.connect(database_url) as sql:
        # The journals that no load writes.
        sql.execute(
            "insert into parcel_scans (carrier, event_id, tracking_id, tracking_number, kind, occurred_at, place, note)"
            " values ('sandbox', 'evt-1', gen_random_uuid(), 'SBX1', 'accepted', '2026-06-30', 'Chicago', 'unknown')"
        )
        sql.execute(
            "insert into buyer_data_accesses (access_id, actor_id, actor_kind, order_id, fields, reason)"
            " select gen_random_uuid(), user_id, 'admin', order_id, '{email}', 'asked by the buyer'"
            " from orders where user_id is not null limit 1"
        )
        sql.execute(
            "insert into invoice_counters (issuer_id, kind, year, last) values (gen_random_uuid(), 'invoice', 2026, 1)"
        )
        sql.execute(_INVOICE)
        sql.execute(
            "insert into product_decisions (decision_id, product_id, version, decision, score, findings)"
            " select gen_random_uuid(), product_id, 1, 'approved', 0, '[]' from products order by product_id limit 1"
        )
        sql.execute(_REPORTED)
        sql.execute(
            "with taken as (insert into key_withdrawals (withdrawal_id, variant_id, withdrawn_by, keys)"
            " select gen_random_uuid(), variant_id, gen_random_uuid(), 1 from product_variants limit 1"
            " returning withdrawal_id, variant_id)"
            " insert into licence_keys (key_id, variant_id, sealed, digest, withdrawal_id)"
            " select gen_random_uuid(), variant_id, 'sealed', sha256('a key'), withdrawal_id from taken"
        )
        sql.execute(
            "insert into match_decisions (decision_id, product_id, other_product_id, decision, decided_by)"
            " select gen_random_uuid(), product_id, gen_random_uuid(), 'dismissed', seller_id from products"
            " order by product_id limit 1"
        )
        sql.execute(_REVIEWED)
        sql.execute(
            "with synonym as (insert into search_synonyms (synonym_id, word, synonym, state, source)"
            " values (gen_random_uuid(), 'couch', 'sofa', 'accepted', 'person') returning synonym_id)"
            " insert into search_synonym_decisions (decision_id, synonym_id, decision, decided_by)"
            " select gen_random_uuid(), synonym_id, 'accepted', user_id from synonym, users limit 1"
        )
        sql.execute(_MODERATED)
    _keep_versions(database_url)


def _keep_versions(database_url: str) -> None:
    """The versions of a product that was changed once."""
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        (product,) = connection.execute(text("select product_id from products order by product_id limit 1")).one()
        connection.execute(KEEP_FIRST_VERSIONS, {"product_ids": [product]})
        described = "update products set description = 'anew', version = 2 where product_id = :product"
        connection.execute(text(described), {"product": product})
        author = {"author_kind": "service", "author_id": None, "action": "changed", "restored_from": None}
        connection.execute(KEEP_VERSIONS, {"product_ids": [product], **author})
    engine.dispose()


# A review was changed once.
_REVIEWED = """
    with changed as (
      update reviews set version = 2, edited_at = created_at
      where review_id = (select review_id from reviews_by_user order by review_id limit 1) returning review_id)
    insert into review_versions (review_id, version, rating, comment, images, status)
    select review_id, 1, 5, 'Good!', '{}', 'published' from changed"""
# It was rejected, and published after an appeal.
_MODERATED = """
    with decided as (
      insert into review_decisions (decision_id, review_id, version, cause, decision, score, reasons, statement,
                                    decided_by)
      select n.id::uuid, r.review_id, 2, n.cause, n.decision, 0.5, '[]', 's', r.seller_id from review_versions v
      join reviews_by_user r using (review_id),
             (values ('00000000-0000-7000-8000-000000000001', 'administrator', 'rejected'),
                     ('00000000-0000-7000-8000-000000000002', 'appeal', 'published')) n (id, cause, decision)
      returning review_id, decision_id, decision)
    insert into review_appeals (review_id, decision_id, comment)
    select review_id, decision_id, 'c' from decided where decision = 'rejected'"""
# A product was reported, taken off sale, and let back when its seller had objected.
_REPORTED = """
    with reported as (select product_id, seller_id from products order by product_id desc limit 1),
    ruled as (
      insert into product_decisions (decision_id, product_id, version, decision, decided_by, reason, score, findings)
      select ruling.id::uuid, product_id, 1, ruling.decision, seller_id, 'r', 0, '[]' from reported,
             (values ('00000000-0000-0000-0000-000000000001', 'removed'),
                     ('ffffffff-ffff-ffff-ffff-ffffffffffff', 'approved')) ruling (id, decision)
    ),
    decided as (
      insert into report_decisions (decision_id, product_id, seller_id, seen, reports, decision, statement, decided_by)
      select gen_random_uuid(), product_id, seller_id, 'x', 1, 'remove', 's', seller_id from reported returning *
    ),
    closed as (
      insert into product_reports (report_id, product_id, reporter, reason, comment, decision_id)
      select gen_random_uuid(), product_id, 'x', 'unsafe', 'c', decision_id from decided
    ),
    objected as (
      insert into decision_objections (decision_id, product_id, seller_id, comment)
      select decision_id, product_id, seller_id, 'c' from decided
    )
    insert into report_decisions (decision_id, product_id, seller_id, reports, contested, decision, statement,
                                  decided_by)
    select gen_random_uuid(), product_id, seller_id, 0, decision_id, 'keep', 's', decided_by from decided
"""
# Of the last order that was delivered, less its refunds.
_INVOICE = """
    insert into invoices (invoice_id, kind, order_id, seller_id, issuer_id, year, number, document_number, refunds,
                          currency, net, tax, total, template, content, digest, issued_at)
    select gen_random_uuid(), 'invoice', order_id, seller_id, issuer_id, year, last, 'INV-1', refunds, currency, total,
           0, total, 1, jsonb_build_object(
             'net', total, 'tax', 0, 'total', total, 'lines', '[]'::jsonb, 'taxes', '[]'::jsonb,
             'shipping', jsonb_build_object('net', total), 'adjustment', jsonb_build_object('net', 0)), 'x', now()
    from invoice_counters, (
      select order_id, currency,
             (select seller_id from order_items i where i.order_id = o.order_id limit 1),
             array(select refund_id from refunds f where f.order_id = o.order_id) as refunds,
             (select sum(captured_amount) from payments p where p.order_id = o.order_id)
             - (select coalesce(sum(amount), 0) from refunds f where f.order_id = o.order_id) as total
      from orders o where status = 'delivered' order by order_id desc limit 1
    ) billed
"""
