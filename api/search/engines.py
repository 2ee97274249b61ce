"""Which engine searches: in process, or on the cluster that SOUK_SEARCH_URL names."""

from typing import TYPE_CHECKING

from api.kernel.settings import Settings
from api.search.engine.index import SearchIndex
from api.search.engine.store import IndexStore
from api.search.engine.synonyms import Synonyms
from api.search.engine.tantivy_index import TantivyIndex
from api.search.log.marts import frequent_queries

if TYPE_CHECKING:
    from api.search.sync import Changes, Indexer


def index_of(settings: Settings, synonyms: Synonyms) -> SearchIndex:
    """What the shop's process asks. Raises: UnsupportedCluster where the cluster's client is not installed."""
    if settings.search_url is None:
        return TantivyIndex(IndexStore.of(settings), synonyms)
    # Only who has a cluster needs its client.
    from api.search.opensearch.cluster import Cluster, client_of
    from api.search.opensearch.index import OpenSearchIndex

    return OpenSearchIndex(Cluster(client_of(settings), settings.languages), synonyms)


def indexer_of(settings: Settings, changes: "Changes | None" = None) -> "Indexer":
    """What writes it. Raises: as `index_of`."""
    # Who answers shoppers loads no writer.
    from api.search.sync import Changes, Indexer

    store, told = IndexStore.of(settings), changes or Changes()
    if settings.search_url is None:
        return Indexer(store, frequent_queries, changes=told)
    from api.search.opensearch.cluster import Cluster, client_of
    from api.search.opensearch.indexer import ClusterIndexer

    return ClusterIndexer(store, changes=told, cluster=Cluster(client_of(settings), settings.languages))
