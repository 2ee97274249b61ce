"""Stores are rated by the reviews that an earlier release took."""

from collections.abc import Iterator
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest

from api.operations.migrate import upgrade
from tests.harness.postgres import PostgresHarness
from tests.integration.api.operations.test_migrate_while_open import connected, put


@pytest.fixture
def earlier(postgres_server: PostgresHarness) -> Iterator[str]:
    name = postgres_server.fresh_database(None)
    url = postgres_server.url(name)
    with connected(url) as connection:
        upgrade(connection, "0075")
    yield postgres_server.url(name, role="postgres")
    postgres_server.drop_database(name)


def test_a_store_is_rated_by_the_reviews_of_all_its_products(earlier: str) -> None:
    rated, unrated, former = uuid4(), uuid4(), uuid4()
    with psycopg.connect(earlier, autocommit=True) as shop:
        shop.execute("SET session_replication_role = replica")  # rows without the ones that they refer to
        for store in (rated, unrated):
            put(shop, "sellers", seller_id=store, name="Store", country="US")
            put(shop, "users", user_id=store, email=f"{store}@example.com", user_type="seller", password_hash="-")
        put(shop, "users", user_id=former, email=f"{former}@example.com", user_type="seller", password_hash="-")
        for seller, stars in ((rated, {"stars_1": 1, "stars_2": 2}), (rated, {"stars_5": 1}), (former, {"stars_4": 1})):
            product = uuid4()
            put(shop, "products", product_id=product, seller_id=seller, currency="EUR", base_price=1)
            put(shop, "product_ratings", product_id=product, review_count=sum(stars.values()), **stars)
        put(shop, "products", product_id=uuid4(), seller_id=unrated, currency="EUR", base_price=1)

        with connected(earlier) as connection:
            upgrade(connection, "0076")

        sums = shop.execute("SELECT seller_id, stars, review_count FROM seller_ratings").fetchall()
        shown = shop.execute("SELECT seller_id, rating FROM sellers").fetchall()
    assert set(sums) == {(rated, 10, 4), (former, 4, 1)}
    assert dict(shown) == {rated: Decimal("2.50"), unrated: Decimal(0)}
