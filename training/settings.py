"""The only place of this package that reads the environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class TrainingSettings(BaseSettings):
    """Where the inputs lie and where the results go. Read once at start and passed down."""

    model_config = SettingsConfigDict(env_prefix="SOUK_", frozen=True, extra="ignore", populate_by_name=True)

    home: Path = Path(".souk")
    lake_uri: str | None = None
    marts_path: Path | None = None
    profile: Literal["demo", "production", "test"] = "demo"
    mlflow_tracking_uri: str | None = Field(default=None, validation_alias="MLFLOW_TRACKING_URI")

    @property
    def lake(self) -> str:
        """The lake's root."""
        return self.lake_uri or str(self.home / "lake")

    @property
    def marts(self) -> Path:
        """The published DuckDB file."""
        return self.marts_path or self.home / "marts" / "souk.duckdb"

    @property
    def features(self) -> Path:
        """The newest complete set of feature parquet files."""
        return self.home / "features" / "current"

    @property
    def models(self) -> Path:
        """Bundles and the champion pointer."""
        return self.home / "models"

    @property
    def tracking_uri(self) -> str:
        """MLflow's store: the server's when there is one, else a file beside the models."""
        return self.mlflow_tracking_uri or f"sqlite:///{(self.home / 'mlflow' / 'mlflow.db').resolve()}"

    @property
    def recipe_name(self) -> str:
        """The recipe of a profile."""
        return {"demo": "demo", "production": "full", "test": "tiny"}[self.profile]
