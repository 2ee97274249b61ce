"""The only place in this package that reads the environment."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from warehouse.environment import LOCAL_REDIS, REDIS
from warehouse.places import LakeUri, Places


class ServingSettings(Places):
    """Where bundles and features are read, and how long an answer may wait for each of its parts."""

    redis_url: SecretStr = Field(default=LOCAL_REDIS, validation_alias="REDIS_URL", description=REDIS)
    serving_url: str = "http://127.0.0.1:8020"
    """Base URL of the recommender, and where it listens."""

    lake_uri: LakeUri
    search_semantic: bool = False
    """Products that a search finds first are ordered by what their texts mean too: serving keeps products' vectors and
    encodes queries, the pipeline encodes products, and the shop asks."""
    encoder: Path | None = None
    """Folder of the sentence encoder that makes vectors of texts; without it, the one of the installed wheel."""
    serving_search_ms: float = Field(default=12.0, gt=0)
    """Deadline of each part of a search's scores: of encoding its text, and of reading its shopper."""

    serving_watch_seconds: float = Field(default=1.0, gt=0)
    """How often the pointer and the product features are looked at: the upper bound of a rollback's delay, less the
    load."""
    serving_online_ms: float = Field(default=40.0, gt=0)
    """Deadline of the online store's answer; after it the bundle's own history of the shopper is used."""
    serving_sequential_ms: float = Field(default=25.0, gt=0)
    """Deadline of the sequential model; after it the neighbours answer alone."""
    serving_rank_ms: float = Field(default=20.0, gt=0)
    """Deadline of the ranker; after it the retrieval order stands."""
    serving_toxicity_ms: float = Field(default=200.0, gt=0)
    """Deadline of the model that finds toxic language; after it there is no score."""
    serving_category_share: float = Field(default=0.4, gt=0, le=1)
    """At most this share of an answer comes from one category while other categories still have candidates."""

    @property
    def bind(self) -> tuple[str, int]:
        """Host and port of this process' own URL."""
        parts = urlsplit(self.serving_url)
        return parts.hostname or "127.0.0.1", parts.port or 8020
