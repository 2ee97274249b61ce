"""The demo's people can sign in, are the right ones, and are made once."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.harness import prefork
from tests.harness.api import running_api
from tests.harness.history import tiny_marketplace
from tests.harness.invariants import assert_invariants
from tests.harness.postgres import PostgresHarness


def accounts(database_url: str, home: Path) -> dict[str, dict[str, str]]:
    env = {**os.environ, "DATABASE_URL": database_url, "SOUK_HOME": str(home)}
    done = prefork.run("api.operations.accounts", env=env)
    assert done.returncode == 0, done.stderr
    made: dict[str, dict[str, str]] = json.loads(done.stdout)
    return made


@pytest.fixture(scope="module")
def shop_url(postgres_server: PostgresHarness) -> str:
    return postgres_server.url(postgres_server.fresh_database(tiny_marketplace))


@pytest.fixture(scope="module")
def client(shop_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with running_api(tmp_path_factory.mktemp("api"), shop_url, redis_url) as server, server.client() as client:
        yield client


def sign_in(client: httpx.Client, account: dict[str, str]) -> httpx.Response:
    return client.post("/api/v1/auth/login", json={"email": account["email"], "password": account["password"]})


def scalar(database_url: str, query: str) -> Any:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(query).fetchone()
    return row and row[0]


def test_everyone_signs_in_and_is_who_they_should_be(shop_url: str, client: httpx.Client, tmp_path: Path) -> None:
    best = (
        "select i.seller_id::text from order_items i join orders o using (order_id) where o.status <> 'cancelled' "
        "group by 1 order by sum(i.subtotal) desc limit 1"
    )
    people = scalar(shop_url, "select count(*) from users")

    made = accounts(shop_url, tmp_path)

    assert list(made) == ["shopper", "shopperWithHistory", "seller", "admin"]
    answers = {role: sign_in(client, account) for role, account in made.items()}
    assert {role: answer.status_code for role, answer in answers.items()} == dict.fromkeys(made, 200)
    kinds = {role: answer.json()["user"]["userType"] for role, answer in answers.items()}
    assert kinds == {"shopper": "customer", "shopperWithHistory": "customer", "seller": "seller", "admin": "admin"}
    assert made["seller"]["userId"] == scalar(shop_url, best)
    assert (
        scalar(shop_url, f"select count(*) from orders where user_id = '{made['shopperWithHistory']['userId']}'") >= 5
    )
    assert scalar(shop_url, f"select count(*) from orders where user_id = '{made['shopper']['userId']}'") == 0
    assert scalar(shop_url, "select count(*) from users") == people + 2
    assert_invariants(shop_url)


def test_a_lost_file_means_new_passwords_for_the_same_people(
    shop_url: str, client: httpx.Client, tmp_path: Path
) -> None:
    before = accounts(shop_url, tmp_path)

    after = accounts(shop_url, tmp_path)

    assert {role: account["userId"] for role, account in after.items()} == {
        role: account["userId"] for role, account in before.items()
    }
    assert sign_in(client, before["seller"]).status_code == 401
    assert sign_in(client, after["seller"]).status_code == 200


def test_a_kept_file_is_the_answer(shop_url: str, tmp_path: Path) -> None:
    kept = {"shopper": {"email": "kept@souk.example", "password": "kept", "userId": "x", "name": "y"}}
    (tmp_path / "demo-accounts.json").write_text(json.dumps(kept), encoding="utf-8")

    assert accounts(shop_url, tmp_path) == kept
    assert scalar(shop_url, "select count(*) from users where email = 'kept@souk.example'") == 0


def test_an_empty_shop_gets_a_seller_of_its_own(database_url: str, tmp_path: Path) -> None:
    made = accounts(database_url, tmp_path)

    assert list(made) == ["shopper", "seller", "admin"]
    assert scalar(database_url, "select seller_id::text from sellers") == made["seller"]["userId"]
