"""The only place in this package that reads the environment."""

from functools import cached_property
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PACKAGE = Path(__file__).resolve().parent
PROJECT = "souk"


class FeatureSettings(BaseSettings):
    """Where feature files, the registry and the online store are. Every field is the environment variable of the same
    name in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    souk_home: Path = PACKAGE.parent / ".souk"
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    feast_registry_url: SecretStr = SecretStr("")
    """postgresql://... for a shared registry; a file path, or nothing for a file under the state directory."""

    @cached_property
    def current(self) -> Path:
        """The published set of feature files: one Parquet per dbt model and watermark.json, all of one watermark."""
        return self.souk_home.absolute() / "features" / "current"

    @cached_property
    def feast_folder(self) -> Path:
        return self.souk_home.absolute() / "feast"
