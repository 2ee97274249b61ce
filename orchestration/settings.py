"""The settings of `orchestration`: read from the environment once and passed down.

Every setting has a default; with nothing set, everything runs on one machine.
"""

from pathlib import Path

from pydantic import Field, SecretStr

from warehouse.environment import DATABASE, REDIS, ROOT, MartsPath, Profile
from warehouse.places import DbtTarget, LakeUri, Places
from warehouse.settings import REPLICATION

__all__ = ["ROOT", "Settings", "load_settings"]


class Settings(Places):
    """A URL that is set replaces an embedded server, or fixes the address of one of Souk's own."""

    profile: Profile = "demo"
    services: str = ""
    """What to start: a comma list of services; dependencies outside it count as present. Empty: all of them."""

    # When set, no embedded server of that kind is started.
    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL", description=DATABASE)
    replication_url: SecretStr | None = Field(default=None, validation_alias="REPLICATION_URL", description=REPLICATION)
    redis_url: SecretStr | None = Field(default=None, validation_alias="REDIS_URL", description=REDIS)
    mlflow_tracking_uri: str | None = Field(default=None, validation_alias="MLFLOW_TRACKING_URI")
    """MLflow's tracking server or database; not set: a file in the state directory."""
    dagster_database_url: SecretStr | None = Field(default=None, validation_alias="DAGSTER_DATABASE_URL")
    """Dagster's storage; not set: the database `dagster` of the server of DATABASE_URL."""
    feast_registry_url: SecretStr | None = Field(default=None, validation_alias="FEAST_REGISTRY_URL")
    """Feast's registry: postgresql://... for a shared one, or a file; empty: a file in the state directory."""

    # When set, the server binds this address instead of a free port.
    api_url: str | None = None
    """Base URL of the shop, and where it listens."""
    sandbox_url: str | None = None
    """Base URL of the sandbox gateway, and where it listens."""
    serving_url: str | None = None
    """Base URL of the recommender, and where it listens."""
    dagster_url: str | None = None
    """Base URL of Dagster's pages, and where they listen."""

    lake_uri: LakeUri
    marts_path: MartsPath
    dbt_target: DbtTarget
    spark_master: str = Field(default="local[2]", validation_alias="SPARK_MASTER")
    """Spark's cluster, or local[threads]."""

    secret_key: SecretStr | None = None
    """Signs cookies and cursors; at least 32 characters."""
    sandbox_key: SecretStr | None = None
    """Shared by the shop and the sandbox gateway; at least 8 characters."""
    jwt_key_file: Path | None = None
    """PEM file of the Ed25519 key that signs access tokens."""

    @property
    def chosen_services(self) -> frozenset[str]:
        """Names asked for; empty means all."""
        return frozenset(name.strip() for name in self.services.split(",") if name.strip())


def load_settings() -> Settings:
    """Read the environment. Raises InvalidSettings naming each wrong variable."""
    return Settings()
