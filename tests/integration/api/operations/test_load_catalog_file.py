"""`souk load catalogue PATH`: a file of products for one seller, through the same job as over HTTP."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.harness import prefork
from tests.harness.bulk import csv_of
from tests.harness.sessions import SECRET_KEY
from tests.harness.shop import Person, Shop


@pytest.fixture
def seller(shop: Shop) -> Person:
    shop.category("/Home/Lamps")
    return shop.person("seller")


def load(database_url: str, redis_url: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": str(home)}
    environment = {**os.environ, **env, "SOUK_SECRET_KEY": SECRET_KEY}
    return prefork.run("api.operations.load", "catalogue", *arguments, "--json", env=environment)


def test_a_file_is_loaded_and_its_bad_rows_are_named(
    shop: Shop, seller: Person, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    rows = [{"sku": f"C-{n}", "title": f"Lamp {n}", "category": "/Home/Lamps", "price": "5"} for n in range(3)]
    path = tmp_path / "lamps.csv"
    path.write_bytes(csv_of([*rows, {**rows[0], "sku": "C-9", "price": "1,000.00"}]))

    done = load(database_url, redis_url, tmp_path, str(path), "--seller", seller.email)

    assert done.returncode == 1, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["status"], summary["created"], summary["failed"]) == ("done", 3, 1)
    (failure,) = summary["failures"]
    assert failure.startswith("row 5: price: '1,000.00' has a thousands separator; write digits")
    assert shop.scalar("select count(*) from products where seller_id = %s", (seller.user_id,)) == 3


@pytest.mark.parametrize(
    ("name", "content", "whose", "said"),
    [
        ("x.csv", b"skew,title\n", None, "skew: no column is called 'skew'"),
        ("x.pdf", b"", None, "give a file of products"),
        ("x.csv", b"sku\nA\n", "nobody@example.com", "no seller has the address nobody@example.com"),
    ],
    ids=["column", "ending", "seller"],
)
def test_what_cannot_be_loaded_is_said_in_a_sentence(
    *,
    seller: Person,
    database_url: str,
    redis_url: str,
    tmp_path: Path,
    name: str,
    content: bytes,
    whose: str | None,
    said: str,
) -> None:
    (tmp_path / name).write_bytes(content)

    done = load(database_url, redis_url, tmp_path, str(tmp_path / name), "--seller", whose or seller.email)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
