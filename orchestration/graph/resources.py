"""The settings of each package for assets, checks and sensors; read when a step runs, never at import."""

from pathlib import Path

from dagster import ConfigurableResource

from features.settings import FeatureSettings
from orchestration.alert_log import ALERTS
from orchestration.settings import load_settings
from serving.settings import ServingSettings
from training.settings import TrainingSettings
from transforms.settings import TransformSettings
from warehouse.contract import Contract, load_contract
from warehouse.lake.watermark import Watermark, latest_watermark
from warehouse.settings import WarehouseSettings


class Platform(ConfigurableResource[None]):
    """The environment is the only configuration; this resource has none of its own."""

    @property
    def warehouse(self) -> WarehouseSettings:
        return WarehouseSettings()

    @property
    def transforms(self) -> TransformSettings:
        return TransformSettings()

    @property
    def features(self) -> FeatureSettings:
        return FeatureSettings()

    @property
    def training(self) -> TrainingSettings:
        return TrainingSettings()

    @property
    def serving(self) -> ServingSettings:
        return ServingSettings()

    @property
    def serving_url(self) -> str | None:
        """Base URL of the recommender; None when it is not configured."""
        return load_settings().serving_url

    @property
    def alert_path(self) -> Path:
        """The file of alerts."""
        return load_settings().home / ALERTS

    def contract(self) -> Contract:
        """The published tables."""
        return load_contract(self.warehouse.contract_path)

    def watermark(self) -> Watermark | None:
        """The lake's newest watermark; None before the first snapshot is complete."""
        return latest_watermark(self.warehouse.lake_uri)
