"""The only place in this package that reads the environment."""

from pydantic import Field

from warehouse.environment import MartsPath, Profile
from warehouse.places import LakeUri, Places


class TrainingSettings(Places):
    """Where the inputs lie and where the results are written. Read once at start and passed down."""

    lake_uri: LakeUri
    marts_path: MartsPath
    profile: Profile = "demo"
    mlflow_tracking_uri: str | None = Field(default=None, validation_alias="MLFLOW_TRACKING_URI")
    """MLflow's tracking server or database; not set: a file in the state directory."""

    @property
    def tracking_uri(self) -> str:
        """MLflow's store: the server's when there is one, else a file next to the models."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.mlflow_folder.resolve() / 'mlflow.db'}"

    @property
    def recipe_name(self) -> str:
        """The recipe of a profile."""
        return {"demo": "demo", "production": "full", "test": "tiny"}[self.profile]
