"""The only place in this package that reads the environment."""

from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_PACKAGE = Path(__file__).resolve().parent


class ServingSettings(BaseSettings):
    """Every field is the environment variable of the same name in capitals. Times are milliseconds or seconds, as the
    name says."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    souk_home: Path = _PACKAGE.parent / ".souk"
    souk_serving_url: str = "http://127.0.0.1:8020"
    redis_url: str = "redis://127.0.0.1:6379/0"

    souk_serving_watch_seconds: float = Field(default=1.0, gt=0)
    """How often the pointer and the product features are looked at: the upper bound of a rollback's delay, less the
    load."""
    souk_serving_online_ms: float = Field(default=40.0, gt=0)
    """Deadline of the online store's answer; after it the bundle's own history of the shopper is used."""
    souk_serving_sequential_ms: float = Field(default=25.0, gt=0)
    """Deadline of the sequential model; after it the neighbours answer alone."""
    souk_serving_rank_ms: float = Field(default=20.0, gt=0)
    """Deadline of the ranker; after it the retrieval order stands."""
    souk_serving_category_share: float = Field(default=0.4, gt=0, le=1)
    """At most this share of an answer comes from one category while other categories still have candidates."""

    @cached_property
    def models_dir(self) -> Path:
        return self.souk_home / "models"

    @cached_property
    def pointer(self) -> Path:
        return self.models_dir / "champion.json"

    @cached_property
    def features_dir(self) -> Path:
        return self.souk_home / "features"

    @cached_property
    def bind(self) -> tuple[str, int]:
        """Host and port of this process' own URL."""
        parts = urlsplit(self.souk_serving_url)
        return parts.hostname or "127.0.0.1", parts.port or 8020
