"""The only place in this package that reads the environment."""

from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PACKAGE = Path(__file__).resolve().parent


class WarehouseSettings(BaseSettings):
    """Where the source and the lake are, and how often the one is written to the other.

    Times are seconds, sizes bytes. Every field is the environment variable of the same name in capitals.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str = ""
    replication_url: str = ""
    souk_home: Path = PACKAGE.parent / ".souk"
    souk_lake_uri: str = ""
    souk_contract_path: Path = PACKAGE / "contracts" / "oltp.json"
    souk_failpoints: str = ""

    souk_cdc_slot: str = "souk_cdc"
    souk_cdc_flush_seconds: float = Field(default=0.5, gt=0)
    souk_cdc_flush_rows: int = Field(default=100_000, gt=0)
    souk_cdc_spill_bytes: int = Field(default=64 * 1024 * 1024, gt=0)
    souk_cdc_heartbeat_seconds: float = Field(default=10.0, gt=0)
    souk_cdc_heal_seconds: float = Field(default=30.0, gt=0)
    souk_cdc_fold_rows: int = Field(default=20_000, gt=0)
    souk_cdc_fold_seconds: float = Field(default=300.0, ge=0)
    souk_cdc_fold_files: int = Field(default=64, gt=0)
    souk_lake_retention_hours: int = Field(default=24, ge=1)

    @cached_property
    def source_url(self) -> str:
        """The libpq URL CDC connects with; raises ValueError when neither variable is set."""
        url = self.replication_url or self.database_url
        if not url:
            raise ValueError("set REPLICATION_URL or DATABASE_URL to the Postgres database to replicate")
        return url

    @cached_property
    def lake_uri(self) -> str:
        return self.souk_lake_uri or str(self.souk_home / "lake")

    @cached_property
    def status_path(self) -> Path:
        return self.souk_home / "run" / "cdc-status.json"

    @cached_property
    def spool_path(self) -> Path:
        return self.souk_home / "spool" / "cdc"
