"""Feast's configuration: the shared registry and Redis."""

import re
from pathlib import Path

import features.light_feast  # noqa: F401 - before Feast

# isort: split
from feast import FeatureStore, RepoConfig
from feast.infra.online_stores.redis import RedisOnlineStoreConfig
from feast.repo_config import RegistryConfig

from features.entities import ENTITIES
from features.settings import PROJECT, FeatureSettings
from features.store_address import redis_connection, registry_file
from features.views import feature_views

# Feast's number for the newest layout of entity keys.
_KEYS_VERSION = 3


def online_config(settings: FeatureSettings, socket_timeout: float | None = None) -> RepoConfig:
    """Configuration with the shared registry and Redis. socket_timeout: seconds, for readers under a deadline."""
    return RepoConfig(
        project=PROJECT,
        provider="local",
        registry=_registry(settings),
        online_store=RedisOnlineStoreConfig(
            connection_string=redis_connection(settings.redis_url.get_secret_value(), socket_timeout)
        ),
        entity_key_serialization_version=_KEYS_VERSION,
    )


def apply(store: FeatureStore, folder: Path) -> None:
    """Register every entity and view of the list. Safe to repeat."""
    store.apply([*ENTITIES.values(), *feature_views(folder).values()])


def _registry(settings: FeatureSettings) -> RegistryConfig:
    path = registry_file(settings)
    if path is None:
        where = settings.feast_registry_url.get_secret_value()
        from feast.infra.registry.sql import SqlRegistryConfig  # the general class is refused for a SQL registry

        return SqlRegistryConfig(
            registry_type="sql", path=re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+psycopg://", where)
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    return RegistryConfig(path=str(path))
