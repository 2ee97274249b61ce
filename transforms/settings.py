"""The only place in this package that reads the environment."""

from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PACKAGE = Path(__file__).resolve().parent


class TransformSettings(BaseSettings):
    """Where the lake is read and where marts, features and dbt's artefacts are written. Every field is the variable in
    capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    souk_home: Path = PACKAGE.parent / ".souk"
    souk_lake_uri: str = ""
    souk_marts_path: Path | None = None
    souk_dbt_target: Path | None = None
    souk_dbt_project: Path = PACKAGE / "dbt"
    souk_contract_path: Path = PACKAGE.parent / "warehouse" / "contracts" / "oltp.json"
    souk_dbt_threads: int = Field(default=2, ge=1)
    spark_master: str = "local[2]"
    spark_driver_memory: str = "1g"
    java_home: Path | None = None

    @cached_property
    def lake_uri(self) -> str:
        return self.souk_lake_uri or str(self.souk_home.absolute() / "lake")

    @cached_property
    def marts_path(self) -> Path:
        """The published, read-only DuckDB file."""
        return (self.souk_marts_path or self.souk_home / "marts" / "souk.duckdb").absolute()

    @cached_property
    def build_folder(self) -> Path:
        """Private to the one running build; on the same file system as the published file, so that the rename is
        atomic."""
        return self.marts_path.parent / "build"

    @cached_property
    def dbt_target(self) -> Path:
        return (self.souk_dbt_target or self.souk_home / "dbt" / "target").absolute()

    @cached_property
    def features_folder(self) -> Path:
        return self.souk_home.absolute() / "features"
