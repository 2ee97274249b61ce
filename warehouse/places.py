"""Where the state directory holds what packages pass to each other, and the variables that several packages read."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from warehouse.environment import ROOT, Environment, under_home

LakeUri = Annotated[
    str,
    Field(
        default_factory=lambda values: str(under_home("lake")(values)),
        description="The lake's root: a folder or an object store's URL.",
    ),
]
DbtTarget = Annotated[
    Path, Field(default_factory=under_home("dbt", "target"), description="dbt's target folder, the manifest included.")
]
ContractPath = Annotated[Path, Field(description="The contract file: published tables, columns and keys.")]
CONTRACT_PATH = ROOT / "warehouse" / "contracts" / "oltp.json"


class Places(Environment):
    """The base of the data packages' settings. These paths have no variable of their own: they follow SOUK_HOME."""

    @property
    def features_folder(self) -> Path:
        """Sets of feature files, one folder per watermark."""
        return self.home / "features"

    @property
    def current_features(self) -> Path:
        """The published set: one Parquet file per dbt model and watermark.json, all of one watermark."""
        return self.features_folder / "current"

    @property
    def models(self) -> Path:
        """Model bundles."""
        return self.home / "models"

    @property
    def champion(self) -> Path:
        """The pointer to the bundle that serves."""
        return self.models / "champion.json"

    @property
    def mlflow_folder(self) -> Path:
        """MLflow's artifacts, and its database when no server is named."""
        return self.home / "mlflow"
