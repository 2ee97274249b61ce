"""Writers of the index that are killed in a commit: of the index, and of its suggestions."""

import asyncio
import signal
import sys

import pytest
from structlog.testing import CapturedCall, CapturingLogger

from api.search.engine import writers
from api.search.engine.store import IndexStore, write_watermark
from api.search.suggestions.schema import FOLDER
from api.search.sync import OVERLAP, Indexer
from tests.harness.api import ROOT
from tests.harness.searching import KILLED_IN_COMMIT, Search
from tests.harness.shop import Person

SAID = "search index cleaned of the files of a killed writer"


async def test_a_writer_killed_in_its_commit_leaves_nothing_in_the_way_of_the_next(
    search: Search, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it wrote has the names that the next writer of the same changes gives its own files."""
    product = search.shop.product(seller, title="Whole kit")
    await search.until("whole kit", ["Whole kit"])
    store = IndexStore(search.home / "search")
    folder = store.current()
    assert folder is not None
    meta, before, found = (folder / "meta.json").read_bytes(), set(folder.iterdir()), search.titles("laptop")
    # So that only the next change is read.
    write_watermark(folder, search.shop.scalar("select now()") + OVERLAP)
    url = f"/api/v1/products/{product['productId']}"
    search.shop.client.patch(url, json={"title": "Mended kit"}, headers=seller.headers)
    program = [sys.executable, "-c", KILLED_IN_COMMIT, str(len(meta) - 1), "index"]
    env = {**search.env, "PYTHONDONTWRITEBYTECODE": "1"}
    killed = await asyncio.create_subprocess_exec(*program, cwd=ROOT, env=env)

    assert await killed.wait() == -signal.SIGXFSZ
    left = {file for file in set(folder.iterdir()) - before if not file.name.startswith(".")}
    assert [file.suffix for file in left].count(".del") == 1
    assert (folder / "meta.json").read_bytes() == meta
    await asyncio.sleep(0.3)
    assert (search.titles("whole kit"), search.titles("laptop")) == (["Whole kit"], found)

    lines = CapturingLogger()
    monkeypatch.setattr(writers, "log", lines)
    search.indexer = Indexer(store)
    assert await search.indexer.refresh(search.context) == 1
    assert lines.calls == [CapturedCall("warning", (SAID,), {"files": len(left)})]
    assert left.isdisjoint(folder.iterdir())
    assert store.current() == folder
    await asyncio.sleep(0.3)
    assert (search.titles("mended kit"), search.titles("laptop")) == (["Mended kit"], found)


@pytest.mark.slow
async def test_a_writer_killed_in_the_commit_of_suggestions_leaves_none_behind(
    search: Search, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def complete(q: str) -> list[str]:
        found: list[str] = search.shop.client.get("/api/v1/search/autocomplete", params={"q": q}).json()["suggestions"]
        return found

    product = search.shop.product(seller, title="Kettle grill")
    await search.until("kettle grill", ["Kettle grill"])
    generation = search.indexer.store.current()
    assert generation is not None
    folder = generation / FOLDER
    meta, before = (folder / "meta.json").read_bytes(), set(folder.iterdir())
    write_watermark(generation, search.shop.scalar("select now()") + OVERLAP)
    url = f"/api/v1/products/{product['productId']}"
    search.shop.client.patch(url, json={"title": "Teapot warmer"}, headers=seller.headers)
    program = [sys.executable, "-c", KILLED_IN_COMMIT, str(len(meta) - 1), "suggestions"]
    env = {**search.env, "PYTHONDONTWRITEBYTECODE": "1"}
    killed = await asyncio.create_subprocess_exec(*program, cwd=ROOT, env=env)

    assert await killed.wait() == -signal.SIGXFSZ
    left = {file for file in set(folder.iterdir()) - before if not file.name.startswith(".")}
    assert left
    assert (folder / "meta.json").read_bytes() == meta
    await asyncio.sleep(0.3)
    # The search index had its commit before.
    assert search.titles("teapot warmer") == ["Teapot warmer"]
    assert (complete("kettle gr"), complete("teap")) == (["kettle grill"], [])

    lines = CapturingLogger()
    monkeypatch.setattr(writers, "log", lines)
    search.indexer = Indexer(search.indexer.store)
    assert await search.indexer.refresh(search.context) == 1
    assert lines.calls == [CapturedCall("warning", (SAID,), {"files": len(left)})]
    await asyncio.sleep(0.3)
    assert (complete("kettle gr"), complete("teap")) == ([], ["teapot warmer"])
