"""Feast stores: a private one for reading the past, the shared registry and Redis for the present."""

import re
from pathlib import Path

from feast import FeatureStore, RepoConfig
from feast.infra.offline_stores.duckdb import DuckDBOfflineStoreConfig
from feast.infra.online_stores.redis import RedisOnlineStoreConfig
from feast.repo_config import RegistryConfig

from features.entities import ENTITIES
from features.services import feature_services
from features.settings import PROJECT, FeatureSettings
from features.store_address import redis_connection
from features.views import feature_views

# Feast's own figure for "newest layout of entity keys".
_KEYS_VERSION = 3


def online_config(settings: FeatureSettings, socket_timeout: float | None = None) -> RepoConfig:
    """Configuration with the shared registry and Redis. socket_timeout: seconds, for readers under a deadline."""
    return RepoConfig(
        project=PROJECT,
        provider="local",
        registry=_registry(settings),
        offline_store=DuckDBOfflineStoreConfig(),
        online_store=RedisOnlineStoreConfig(
            connection_string=redis_connection(settings.redis_url.get_secret_value(), socket_timeout)
        ),
        entity_key_serialization_version=_KEYS_VERSION,
    )


def offline_store(folder: Path, scratch: Path) -> FeatureStore:
    """A store over one set of feature files with a registry of its own in `scratch`: reading the past needs no
    server."""
    config = RepoConfig(
        project=PROJECT,
        provider="local",
        registry=RegistryConfig(path=str(scratch / "registry.db")),
        offline_store=DuckDBOfflineStoreConfig(),
        online_store=None,
        entity_key_serialization_version=_KEYS_VERSION,
    )
    store = FeatureStore(config=config)
    apply(store, folder)
    return store


def apply(store: FeatureStore, folder: Path) -> None:
    """Register every entity, view and service of the list. Safe to repeat."""
    views = feature_views(folder)
    store.apply([*ENTITIES.values(), *views.values(), *feature_services(views)])


def _registry(settings: FeatureSettings) -> RegistryConfig:
    where = settings.feast_registry_url.get_secret_value()
    if re.match(r"postgres(ql)?(\+\w+)?://", where):
        from feast.infra.registry.sql import SqlRegistryConfig  # the general class is refused for a SQL registry

        return SqlRegistryConfig(
            registry_type="sql", path=re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+psycopg://", where)
        )
    path = Path(where) if where else settings.feast_folder / "registry.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    return RegistryConfig(path=str(path))
