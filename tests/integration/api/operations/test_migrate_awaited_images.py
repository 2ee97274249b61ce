"""What products linked to in an earlier release is fetched by this one; nothing links elsewhere meanwhile."""

from collections.abc import Iterator
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
        upgrade(connection, "0070")
    yield postgres_server.url(name, role="postgres")
    postgres_server.drop_database(name)


def test_linked_pictures_are_awaited_at_their_places(earlier: str) -> None:
    seller, living, deleted, picture = uuid4(), uuid4(), uuid4(), "0" * 32 + "-00000000"
    with psycopg.connect(earlier, autocommit=True) as shop:
        shop.execute("SET session_replication_role = replica")  # rows without the ones that they refer to
        put(shop, "products", product_id=living, seller_id=seller, currency="EUR", base_price=1)
        put(shop, "products", product_id=deleted, seller_id=seller, currency="EUR", base_price=1, deleted_at="now")
        put(shop, "product_images", product_id=living, position=0, url="/own", picture=picture)
        for position, url in enumerate(("https://user@A.example:8443/1?a=/@b", "http://b.example", "broken"), 1):
            put(shop, "product_images", product_id=living, position=position, url=url, alt="Text")
        put(shop, "product_images", product_id=deleted, position=0, url="https://a.example/2")

    with connected(earlier) as connection:
        upgrade(connection, "0071")

    with psycopg.connect(earlier) as shop:
        shown = shop.execute("SELECT product_id, position, picture FROM product_images").fetchall()
        awaited = shop.execute(
            "SELECT product_id, seller_id, position, source, host, alt, tries, next_try <= now(), reason, job_id"
            " FROM awaited_images ORDER BY position"
        ).fetchall()
        with pytest.raises(psycopg.errors.CheckViolation):
            shop.execute(
                "INSERT INTO product_images (image_id, product_id, position, url)"
                " SELECT gen_random_uuid(), product_id, 9, 'https://a.example/3' FROM products LIMIT 1"
            )
    assert shown == [(living, 0, picture)]
    assert [row[2:] for row in awaited] == [
        (1, "https://user@A.example:8443/1?a=/@b", "a.example:8443", "Text", 0, True, None, None),
        (2, "http://b.example", "b.example", "Text", 0, True, None, None),
        (3, "broken", "-", "Text", 0, True, None, None),
    ]
    assert {row[:2] for row in awaited} == {(living, seller)}
