"""Feeds and the site map as files, made anew from time to time by one worker at a time.

They lie in the folder `feeds` of the state directory, each under the digest of its content; `made.json` says which are
the newest. The ones before stay until the next time, for readers that have just begun.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import cast
from uuid import UUID

import orjson
from sqlalchemy import func, select

from api.catalog.purchase import Occasion
from api.catalog.queries.syndicated import ProductOnSale, on_sale_after
from api.kernel import clock
from api.kernel.context import Context
from api.kernel.files import move_into_place, read_json, replace_file
from api.kernel.settings import Settings
from api.sellers.queries import stores_of
from api.syndication import agents, items, sitemap

FEEDS = {"products.xml": "application/rss+xml", "products.csv": "text/csv", "products.jsonl": "application/jsonl"}
METADATA = "metadata.json"
INDEX = "sitemap.xml"
MANIFEST = "made.json"
PRODUCTS_AT_ONCE = 500
_LOCK_KEY = 7_305_831


def folder_of(settings: Settings) -> Path:
    return settings.home / "feeds"


@dataclass(frozen=True, slots=True)
class Made:
    """A file that can be served."""

    path: Path
    etag: str


def made(settings: Settings, name: str) -> Made | None:
    """The file of that name, None when it is not made yet or there is none."""
    digest = _newest(folder_of(settings)).get(name)
    return None if digest is None else Made(_path(folder_of(settings), name, digest), f'"{digest}"')


async def make_when_due(ctx: Context) -> int:
    """Make all files unless they are young; how many products are in them."""
    path = folder_of(ctx.settings) / MANIFEST
    at = read_json(path).get("at")
    if isinstance(at, int | float) and clock.now().timestamp() - at < ctx.settings.feeds_seconds:
        return 0
    async with ctx.db.autocommit() as tx:
        if not await tx.scalar(select(func.pg_try_advisory_lock(_LOCK_KEY))):
            return 0
        try:
            return await make(ctx)
        finally:
            await tx.execute(select(func.pg_advisory_unlock(_LOCK_KEY)))


async def make(ctx: Context) -> int:
    """Make all files; how many products are in them."""
    folder = folder_of(ctx.settings)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    occasion = Occasion.of(ctx.settings, clock.now())
    with ExitStack() as stack:
        writing = _Writing(ctx.settings, occasion, stack)
        products, after = 0, None
        while True:
            async with ctx.db.read(may_lag=True) as tx:
                page = await on_sale_after(tx, after, PRODUCTS_AT_ONCE)
                stores = await stores_of(tx, {one.seller_id for one in page})
            await asyncio.to_thread(writing.add, page, {store.seller_id: store.name for store in stores.values()})
            products += len(page)
            if len(page) < PRODUCTS_AT_ONCE:
                break
            after = page[-1].product_id
        await asyncio.to_thread(writing.finish)
    return products


class _Writing:
    """The files while they are written, one page of products after the other."""

    def __init__(self, settings: Settings, occasion: Occasion, stack: ExitStack) -> None:
        self._folder = folder_of(settings)
        self._address = settings.api_url.rstrip("/")
        self._language = settings.languages.own
        self._occasion = occasion
        self._files = {name: _File(self._folder / name, stack) for name in FEEDS}
        self._files["products.xml"].write(items.xml_head(self._address))
        self._files["products.csv"].write(items.csv_lines([items.FIELDS]))
        self._urls: list[bytes] = []
        self._parts: list[str] = []
        self._digests: dict[str, str] = {}

    def add(self, products: list[ProductOnSale], stores: Mapping[UUID, str]) -> None:
        found = [item for one in products for item in items.items_of(one, self._occasion, self._address)]
        self._files["products.xml"].write(b"".join(map(items.xml_item, found)))
        self._files["products.csv"].write(
            items.csv_lines([items.csv_safe(item[name]) for name in items.FIELDS] for item in found)
        )
        self._files["products.jsonl"].write(
            b"".join(agents.feed_line(one, stores[one.seller_id], self._address) for one in products)
        )
        for product in products:
            link = items.link_of(product.product_id, self._address)
            languages = sorted({product.language or self._language, *(product.titles or {})})
            for url in sitemap.urls_of(link, product.updated_at, languages):
                self._urls.append(url)
                if len(self._urls) == sitemap.MAX_URLS:
                    self._part()

    def finish(self) -> None:
        if self._urls or not self._parts:
            self._part()
        self._files["products.xml"].write(items.XML_END)
        for name, file in self._files.items():
            self._digests[name] = file.finish()
        self._keep(INDEX, sitemap.index_of(self._parts, self._address))
        before = _newest(self._folder)
        if METADATA in before and before.get("products.jsonl") == self._digests["products.jsonl"]:
            self._digests[METADATA] = before[METADATA]
        else:
            self._keep(METADATA, agents.metadata_of(self._occasion.place.country, self._occasion.now))
        manifest = {"at": clock.now().timestamp(), "files": self._digests}
        replace_file(self._folder / MANIFEST, orjson.dumps(manifest))
        used = {_path(self._folder, *one) for files in (before, self._digests) for one in files.items()}
        for path in self._folder.iterdir():
            if path not in used and path.name != MANIFEST:
                path.unlink(missing_ok=True)

    def _part(self) -> None:
        name = f"sitemap-{len(self._parts) + 1}.xml.gz"
        self._keep(name, gzip.compress(sitemap.part_of(self._urls), mtime=0))
        self._parts.append(name)
        self._urls = []

    def _keep(self, name: str, content: bytes) -> None:
        self._digests[name] = _short(hashlib.sha256(content))
        replace_file(_path(self._folder, name, self._digests[name]), content)


class _File:
    """A file next to its place, and the digest of what is in it."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._file: BufferedWriter = stack.enter_context(self._part.open("wb"))
        self._digest = hashlib.sha256()

    def write(self, content: bytes) -> None:
        self._file.write(content)
        self._digest.update(content)

    def finish(self) -> str:
        """Put it in its place; its digest."""
        self._file.close()
        digest = _short(self._digest)
        move_into_place(self._part, _path(self._path.parent, self._path.name, digest))
        return digest


def _newest(folder: Path) -> dict[str, str]:
    """The digest of each file."""
    return cast("dict[str, str]", read_json(folder / MANIFEST).get("files", {}))


def _path(folder: Path, name: str, digest: str) -> Path:
    return folder / f"{digest}-{name}"


def _short(digest: "hashlib._Hash") -> str:
    return digest.hexdigest()[:32]
