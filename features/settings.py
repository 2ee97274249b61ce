"""The only place in this package that reads the environment."""

from pathlib import Path

from pydantic import Field, SecretStr

from warehouse.environment import LOCAL_REDIS, REDIS
from warehouse.places import Places

PROJECT = "souk"


class FeatureSettings(Places):
    """Where feature files, the registry and the online store are."""

    redis_url: SecretStr = Field(default=LOCAL_REDIS, validation_alias="REDIS_URL", description=REDIS)
    feast_registry_url: SecretStr = Field(default=SecretStr(""), validation_alias="FEAST_REGISTRY_URL")
    """Feast's registry: postgresql://... for a shared one, or a file; empty: a file in the state directory."""

    @property
    def feast_folder(self) -> Path:
        return self.home / "feast"

    @property
    def online_status_path(self) -> Path:
        """Where the process that writes online features says how it goes."""
        return self.home / "run" / "online-status.json"
