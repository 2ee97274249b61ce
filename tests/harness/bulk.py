"""Files of products that a shop of tests sends, read by the worker's own function in this process or by a worker."""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from api.bulk.reading.work import read_files
from api.kernel.context import Context, open_context
from api.kernel.settings import Settings
from tests.harness.sessions import SECRET_KEY
from tests.harness.shop import Person, Shop

ENDED = {"done", "failed", "cancelled"}
PATH = "/api/v1/products/bulk"


@asynccontextmanager
async def reading_context(database_url: str, redis_url: str, home: Path, **changed: object) -> AsyncIterator[Context]:
    """What the worker has; `home` is the API's folder, in which the files lie."""
    given = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "SOUK_PROFILE": "test", "SOUK_HOME": home}
    async with open_context(Settings.model_validate({**given, "SOUK_SECRET_KEY": SECRET_KEY, **changed})) as context:
        yield context


def csv_of(rows: Iterable[Mapping[str, Any]], delimiter: str = ",") -> bytes:
    """A file whose first row names every key of `rows`, in the order in which they come."""
    listed = [*rows]
    names = [*dict.fromkeys(name for row in listed for name in row)]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, names, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(listed)
    return file.getvalue().encode()


def jsonl_of(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


class Files:
    """A seller who sends files."""

    def __init__(self, shop: Shop, seller: Person, context: Context) -> None:
        self.shop = shop
        self.seller = seller
        self.context = context

    def send(self, content: bytes, form: str = "csv", *, dry_run: bool = False) -> dict[str, Any]:
        """The job of a file that was taken."""
        asked = {"format": form, "dryRun": str(dry_run).lower()}
        answer = self.shop.client.post(PATH, params=asked, content=content, headers=self.seller.headers)
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = answer.json()
        assert answer.headers["location"] == f"{PATH}/{job['jobId']}"
        return job

    def job(self, job_id: str) -> dict[str, Any]:
        answer = self.shop.client.get(f"{PATH}/{job_id}", headers=self.seller.headers)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def read(self, content: bytes, form: str = "csv", *, dry_run: bool = False) -> dict[str, Any]:
        """The job of a file that was read to its end."""
        job_id = self.send(content, form, dry_run=dry_run)["jobId"]
        while (job := self.job(job_id))["state"] not in ENDED:
            await read_files(self.context)
        return job

    def report(self, job: Mapping[str, Any]) -> list[dict[str, str]]:
        answer = self.shop.client.get(str(job["report"]), headers=self.seller.headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/csv")
        return [*csv.DictReader(io.StringIO(answer.text, newline=""))]

    def failures(self, job: Mapping[str, Any]) -> list[tuple[int, str, str]]:
        """Row, field and message of what failed."""
        rows = self.report(job)
        return [(int(row["row"]), row["field"], row["message"]) for row in rows if row["result"] == "failed"]

    def products(self) -> list[dict[str, Any]]:
        """The seller's products that are not deleted, in the order of their titles."""
        ids = self.shop.sql.execute(
            "select product_id::text from products where seller_id = %s and deleted_at is null order by title, 1",
            (self.seller.user_id,),
        ).fetchall()
        found = []
        for (product_id,) in ids:
            answer = self.shop.client.get(f"/api/v1/products/{product_id}", headers=self.seller.headers)
            assert answer.status_code == 200, answer.text
            found.append(answer.json())
        return found
