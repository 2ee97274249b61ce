"""What the environment may say to `orchestration`; read once, passed down. Everything has a default: nothing set means
one machine."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parents[1]


class Settings(BaseSettings):
    """The names are the same in every package. A URL that is set replaces the embedded server of that name, or says
    where ours binds."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    home: Path = Field(default=ROOT / ".souk", alias="SOUK_HOME")
    profile: Literal["demo", "production", "test"] = Field(default="demo", alias="SOUK_PROFILE")
    # A comma list of services; dependencies outside it count as present. Empty: all of them.
    services: str = Field(default="", alias="SOUK_SERVICES")

    # Set: no embedded server of that kind is started.
    database_url: SecretStr | None = Field(default=None, alias="DATABASE_URL")
    replication_url: SecretStr | None = Field(default=None, alias="REPLICATION_URL")
    redis_url: SecretStr | None = Field(default=None, alias="REDIS_URL")
    mlflow_tracking_uri: str | None = Field(default=None, alias="MLFLOW_TRACKING_URI")
    dagster_database_url: SecretStr | None = Field(default=None, alias="DAGSTER_DATABASE_URL")
    feast_registry_url: SecretStr | None = Field(default=None, alias="FEAST_REGISTRY_URL")

    # Set: our own server binds this address instead of a free port.
    api_url: str | None = Field(default=None, alias="SOUK_API_URL")
    sandbox_url: str | None = Field(default=None, alias="SOUK_SANDBOX_URL")
    serving_url: str | None = Field(default=None, alias="SOUK_SERVING_URL")
    dagster_url: str | None = Field(default=None, alias="SOUK_DAGSTER_URL")

    lake_uri: str | None = Field(default=None, alias="SOUK_LAKE_URI")
    marts_path: Path | None = Field(default=None, alias="SOUK_MARTS_PATH")
    dbt_target: Path | None = Field(default=None, alias="SOUK_DBT_TARGET")
    spark_master: str = Field(default="local[2]", alias="SPARK_MASTER")

    secret_key: SecretStr | None = Field(default=None, alias="SOUK_SECRET_KEY")
    sandbox_key: SecretStr | None = Field(default=None, alias="SOUK_SANDBOX_KEY")
    jwt_key_file: Path | None = Field(default=None, alias="SOUK_JWT_KEY_FILE")

    @property
    def chosen_services(self) -> frozenset[str]:
        """Names asked for; empty means all."""
        return frozenset(name.strip() for name in self.services.split(",") if name.strip())


def load_settings() -> Settings:
    """Read the environment. Raises pydantic.ValidationError naming each wrong variable."""
    return Settings()
