"""`python -m tests.benchmarks.reviews [--rows N ...]`: writes and reads of reviews in a shop that has N of them, on a
temporary cluster with fsync on, by the shop's own functions in this process.

`reviews.submit` is what a request does in Postgres (both rows, the event, and what refuses a second one), of one
writer; its limit is a plain INSERT of the same text into a table with one key, committed alike. `reviews.recent`,
`.helpful` and `.deep` are pages of ten of a product's list, the last behind a cursor half way down it; their limit is
one read of ten rows from the index of that key. Each is the median of its requests, in milliseconds, ours
and the limit in turns.
"""

import asyncio
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4

import psycopg
import typer

from api.kernel.actor import Actor
from api.kernel.context import Context, open_context
from api.kernel.pagination import PageParams
from api.kernel.settings import Settings
from api.reviews import queries
from api.reviews.schemas import ReviewIn, ReviewList, Sort
from api.reviews.writing import commands
from orchestration.runtime.bootstrap import OWNER
from tests.benchmarks.results import record
from tests.harness.postgres import running_postgres
from tests.harness.redis import running_redis
from warehouse.command import program
from warehouse.logs import configure

MONTHS, PRODUCTS, PEOPLE, REQUESTS = 36, 2_000, 20_000, 300
TEXT = "The quality is superb and my family loves it, even after weeks of use. " * 4
SELLER = UUID("0190a6e0-0000-7000-8000-000000000001")
# Review n is of product n % PRODUCTS, by the next person who has not reviewed it.
FILL = f"""
INSERT INTO users (user_id, email, name, user_type, password_hash)
SELECT md5('u' || n)::uuid, 'u' || n || '@example.com', 'Some One', 'customer', ''
FROM generate_series(1, %(people)s) n;
INSERT INTO users (user_id, email, name, user_type, password_hash)
VALUES ('{SELLER}', 'seller@example.com', 'S', 'seller', '');
INSERT INTO sellers (seller_id, name, country, verified) VALUES ('{SELLER}', 'Store', 'US', true);
INSERT INTO categories (category_id, name, path, level) VALUES (md5('c')::uuid, 'Lamps', '/Lamps', 0);
INSERT INTO products (product_id, seller_id, category_id, title, base_price, currency, status)
SELECT md5('p' || n)::uuid, '{SELLER}', md5('c')::uuid, 'Lamp ' || n, 10, 'USD', 'active'
FROM generate_series(0, %(products)s) n;
SELECT make_review_month(now() - n * interval '1 month') FROM generate_series(0, {MONTHS}) n;
CREATE TEMP TABLE made AS
SELECT n::bigint, md5('r' || n)::uuid AS review_id, md5('p' || n %% %(products)s)::uuid AS product_id,
       md5('u' || 1 + n / %(products)s)::uuid AS user_id, 1 + n %% 5 AS rating, n %% 7 AS yes,
       now() - (n %% 1000003) / 1000003.0 * interval '{MONTHS} months' AS created_at
FROM generate_series(0, %(rows)s - 1) n;
INSERT INTO reviews_by_user (user_id, product_id, review_id, seller_id, rating, status, text_digest, created_at)
SELECT user_id, product_id, review_id, '{SELLER}', rating, 'published', md5(review_id::text), created_at FROM made;
INSERT INTO reviews (user_id, product_id, review_id, seller_id, rating, status, comment, created_at, helpful_count,
                     helpfulness)
SELECT user_id, product_id, review_id, '{SELLER}', rating, 'published', %(text)s, created_at, yes, yes / 8.0 FROM made;
INSERT INTO review_signals (review_id, user_id, product_id, seller_id, address, device, signature, bands, toxicity,
                            created_at)
SELECT review_id, user_id, product_id, '{SELLER}', md5(user_id::text), md5(review_id::text),
       ARRAY[{", ".join(f"hashint8(n + {k})" for k in range(24))}],
       ARRAY[{", ".join(f"hashint8extended(n, {k})" for k in range(8))}], 0, created_at
FROM made;
CREATE TABLE plain_reviews (product_id uuid, created_at timestamptz, review_id uuid, user_id uuid, rating smallint,
                            comment text, PRIMARY KEY (product_id, created_at, review_id));
INSERT INTO plain_reviews SELECT product_id, created_at, review_id, user_id, rating, %(text)s FROM made;
INSERT INTO product_ratings (product_id, stars_5, average_rating, review_count)
SELECT product_id, count(*), 5, count(*) FROM made GROUP BY 1;
"""
# Indexes that are no keys: name and statement.
LATER = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid IN ('reviews'::regclass, 'reviews_by_user'::regclass, 'review_signals'::regclass) AND NOT indisunique
"""
PLAIN_INSERT = "INSERT INTO plain_reviews VALUES (%s, now(), %s, %s, 5, %s)"
PLAIN_READ = "SELECT * FROM plain_reviews WHERE product_id = %s ORDER BY created_at DESC, review_id DESC LIMIT 10"
FIRST = PageParams(1, 10, None)
Timed = Callable[[int], Awaitable[None]]


def fill(url: str, rows: int) -> float:
    """Seconds that it took."""
    started = time.perf_counter()
    most = rows // PRODUCTS + 1
    values = {"people": max(PEOPLE, most), "products": PRODUCTS, "rows": rows, "text": TEXT}
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        # The rows fit together by how they are made: no foreign key is looked up for each, and what finds them by
        # other columns is built when they are there.
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '1GB'")
        later = connection.execute(LATER).fetchall()
        for name, _ in later:
            connection.execute(f"DROP INDEX {name}".encode())
        for statement in FILL.split(";\n"):
            if statement.strip():
                connection.execute(statement.encode(), values)
        for _, made in later:
            connection.execute(made.replace(" ON ONLY ", " ON ").encode())
        connection.execute("DROP TABLE made")
        connection.execute("VACUUM ANALYZE")
    return time.perf_counter() - started


def gigabytes(url: str) -> float:
    """The size of the database."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return round(found[0] / 1e9, 2) if found else 0.0


async def milliseconds(ours: Timed, plain: Timed) -> tuple[float, float]:
    """The median of each, in turns; the first tenth warms up."""
    spent: tuple[list[float], list[float]] = ([], [])
    for number in range(REQUESTS + REQUESTS // 10):
        for place, work in enumerate((ours, plain)):
            started = time.perf_counter()
            await work(number)
            if number >= REQUESTS // 10:
                spent[place].append(1_000 * (time.perf_counter() - started))
    return statistics.median(spent[0]), statistics.median(spent[1])


async def measure(ctx: Context, url: str, rows: int, seconds: float) -> None:
    products = [UUID(bytes=row) for row in _digests(PRODUCTS)]
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        writer = Actor(kind="customer", user_id=_person(max(PEOPLE, rows // PRODUCTS + 1)))

        async def submit(number: int) -> None:
            if number % commands.MOST_AN_HOUR == 0:  # the limit of an hour is not what is measured
                await connection.execute("UPDATE reviews_by_user SET created_at = created_at - interval '2 hours'"
                                         " WHERE user_id = %s", (writer.user_id,))  # fmt: skip
            body = ReviewIn(rating=5, comment=f"{TEXT} {number}")
            await commands.submit(ctx, writer, products[number], body)

        async def insert(number: int) -> None:
            await connection.execute(PLAIN_INSERT, (products[number], uuid4(), writer.user_id, f"{TEXT} {number}"))

        async def read(number: int) -> None:
            found = await connection.execute(PLAIN_READ, (products[number],), prepare=True)
            if len(await found.fetchall()) != 10:
                raise SystemExit("a product has fewer than ten reviews: measure more rows")

        async def list_page(number: int, sort: Sort, asked: PageParams) -> ReviewList:
            async with ctx.db.read() as tx:
                return await queries.reviews_of(
                    tx, writer, ctx.keys, products[number], sort=sort, filters=queries.Filters(), page=asked
                )

        half = PageParams(max(1, rows // PRODUCTS // 20), 10, None)
        cursors = [
            (await list_page(number, "recent", half)).pagination.next_cursor
            for number in range(REQUESTS + REQUESTS // 10)
        ]

        async def recent(number: int) -> None:
            await list_page(number, "recent", FIRST)

        async def helpful(number: int) -> None:
            await list_page(number, "helpful", FIRST)

        async def deep(number: int) -> None:
            await list_page(number, "recent", PageParams(1, 10, cursors[number]))

        named = {"submit": (submit, insert), "recent": (recent, read), "helpful": (helpful, read), "deep": (deep, read)}
        for name, (ours, plain) in named.items():
            cost, limit = await milliseconds(ours, plain)
            record("reviews", f"reviews.{name}.{rows}", ours=cost, limit=limit, unit="ms", lower_is_better=True,
                   rows=rows, requests=REQUESTS, filledIn=round(seconds, 1), gigabytes=gigabytes(url),
                   note=f"median of {REQUESTS}, {rows // PRODUCTS:,} reviews a product in {MONTHS} months")  # fmt: skip


def _digests(count: int) -> list[bytes]:
    return [hashlib.md5(f"p{n}".encode(), usedforsecurity=False).digest() for n in range(count)]


def _person(number: int) -> UUID:
    return UUID(bytes=hashlib.md5(f"u{number}".encode(), usedforsecurity=False).digest())


@program("python -m tests.benchmarks.reviews")
def main(
    rows: Annotated[list[int] | None, typer.Option("--rows", help="Reviews that the shop has; again for more.")] = None,
) -> int:
    """Measure shops of a million and of ten million reviews."""
    configure("warning")
    with (
        tempfile.TemporaryDirectory() as scratch,
        running_postgres(Path(scratch) / "postgres", fsync=True) as server,
        running_redis(Path(scratch) / "redis") as redis,
    ):
        for size in rows or [1_000_000, 10_000_000]:
            database = server.fresh_database()
            url = server.url(database)
            with psycopg.connect(server.url(database, role="postgres")) as superuser:
                superuser.execute(f"GRANT SET ON PARAMETER session_replication_role TO {OWNER}".encode())
            seconds = fill(url, size)
            given = {"DATABASE_URL": url, "REDIS_URL": redis.url, "SOUK_PROFILE": "test", "SOUK_HOME": scratch}
            asyncio.run(_measured(Settings.model_validate(given), url, size, seconds))
            server.drop_database(database)
    return 0


async def _measured(settings: Settings, url: str, rows: int, seconds: float) -> None:
    async with open_context(settings) as ctx:
        await measure(ctx, url, rows, seconds)


if __name__ == "__main__":
    sys.exit(main())
