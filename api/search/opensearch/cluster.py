"""The client of a cluster, and the names of the indexes on it.

souk-products                   the alias that readers ask: one index, exchanged in one step
souk-products-FORM-0193...      an index; FORM says which fields it has
souk-indexer                    for each index, how far it has read the catalog
"""

import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from api.kernel.ids import new_id
from api.kernel.languages import Languages
from api.kernel.settings import Settings
from api.search.errors import IndexNotReady
from api.search.opensearch.schema import Json, form_of, index_body

if TYPE_CHECKING:
    from opensearchpy import AsyncOpenSearch

ALIAS = "souk-products"
_STATE = "souk-indexer"
# `bool` in aggregations, `nested` sorts with filters and `search_after` on scores are of this version at the latest.
LEAST_MAJOR = 2
SECONDS = 5.0


class UnsupportedCluster(RuntimeError):
    """What answers is no OpenSearch that the shop can use, or its client is not installed."""


def client_of(settings: Settings) -> "AsyncOpenSearch":
    """A client of the cluster that the settings name; it connects with its first request. Raises: UnsupportedCluster
    without the client's package."""
    if importlib.util.find_spec("opensearchpy") is None:
        raise UnsupportedCluster("SOUK_SEARCH_URL: the client is not installed; install souk[opensearch]")
    from opensearchpy import AsyncOpenSearch

    if settings.search_url is None:
        raise AssertionError("SOUK_SEARCH_URL is set")
    return AsyncOpenSearch(
        hosts=[settings.search_url.get_secret_value()], timeout=SECONDS, max_retries=1, retry_on_timeout=False
    )


@asynccontextmanager
async def unanswered_as_not_ready() -> AsyncIterator[None]:
    """Raises: IndexNotReady where there is no index, and where the cluster does not answer or is overloaded."""
    from opensearchpy.exceptions import ConnectionError as Unreachable
    from opensearchpy.exceptions import NotFoundError, TransportError

    try:
        yield
    except NotFoundError as error:
        raise IndexNotReady("The search index is being built; browsing by category works meanwhile.") from error
    except TransportError as error:
        if isinstance(error, Unreachable) or error.status_code in {429, 502, 503, 504}:
            raise IndexNotReady("The search cluster does not answer; browsing by category works meanwhile.") from error
        raise


@dataclass(frozen=True, slots=True)
class Cluster:
    """The indexes of a shop; `languages`: those that its catalog may be in."""

    client: "AsyncOpenSearch"
    languages: Languages

    async def check(self) -> None:
        """Raises: UnsupportedCluster."""
        version: Json = (await self.client.info())["version"]
        if version.get("distribution") != "opensearch" or int(version["number"].partition(".")[0]) < LEAST_MAJOR:
            named = f"{version.get('distribution', 'elasticsearch')} {version['number']}"
            raise UnsupportedCluster(f"SOUK_SEARCH_URL: OpenSearch {LEAST_MAJOR} or later is needed, there is {named}")

    @property
    def _form(self) -> str:
        return f"{ALIAS}-{form_of(self.languages)}-"

    async def current(self) -> str | None:
        """The index that readers ask; None before the first, and when it has other fields."""
        found = await self._behind_alias()
        return next((name for name in found if name.startswith(self._form)), None)

    async def create(self) -> str:
        """An empty index that nobody asks yet."""
        name = f"{self._form}{new_id()}"
        await self.client.indices.create(index=name, body=index_body(self.languages))
        return name

    async def publish(self, name: str) -> None:
        """Readers ask this index from now on; earlier ones are removed."""
        before = await self._behind_alias()
        actions = [{"add": {"index": name, "alias": ALIAS}}]
        actions += [{"remove": {"index": other, "alias": ALIAS}} for other in before if other != name]
        await self.client.indices.update_aliases(body={"actions": actions})
        for other in before:
            if other != name:
                await self.discard(other)

    async def discard(self, name: str) -> None:
        """Remove an index."""
        await self.client.indices.delete(index=name, params={"ignore_unavailable": "true"})

    async def watermark(self, name: str) -> datetime:
        """The database time up to which an index has read the catalog."""
        state = await self.client.get(index=_STATE, id=name)
        return datetime.fromisoformat(state["_source"]["watermark"])

    async def set_watermark(self, name: str, watermark: datetime) -> None:
        """After what was read is written: what was read twice is written twice, and nothing is missed."""
        await self.client.index(index=_STATE, id=name, body={"watermark": watermark.isoformat()})

    async def write(self, name: str, actions: list[Json], *, visible: bool) -> None:
        """One bulk request: each action, and after it its document where it has one. `visible`: to the next search."""
        if actions:
            params = {"refresh": "true"} if visible else {}
            answer = await self.client.bulk(index=name, body=actions, params=params)
            if answer["errors"]:
                refused = [item for one in answer["items"] for item in one.values() if "error" in item]
                raise RuntimeError(f"the cluster refused {len(refused)} documents: {refused[0]['error']}")

    async def _behind_alias(self) -> list[str]:
        from opensearchpy.exceptions import NotFoundError

        try:
            return list(await self.client.indices.get_alias(name=ALIAS))
        except NotFoundError:
            return []
