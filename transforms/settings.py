"""The only place in this package that reads the environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from warehouse.environment import MartsPath
from warehouse.places import CONTRACT_PATH, ContractPath, DbtTarget, LakeUri, Places

DBT_PROJECT = Path(__file__).resolve().parent / "dbt"


class TransformSettings(Places):
    """Where the lake is read and where marts, features and dbt's artefacts are written."""

    lake_uri: LakeUri
    marts_path: MartsPath
    dbt_target: DbtTarget
    contract_path: ContractPath = CONTRACT_PATH
    dbt_project: Path = DBT_PROJECT
    """The folder of dbt_project.yml."""
    dbt_threads: int = Field(default=2, ge=1)
    """Models that dbt builds at a time."""
    jobs_engine: Literal["auto", "duckdb", "spark"] = "auto"
    """What computes co-purchase pairs and interaction sequences; auto: as SOUK_SPARK_FROM_LINES says."""
    spark_from_lines: int = Field(default=10_000_000, ge=0)
    """Order lines from which on Spark computes them: one machine's memory is the limit of DuckDB, not its speed."""
    spark_master: str = Field(default="local[2]", validation_alias="SPARK_MASTER")
    """Spark's cluster, or local[threads]."""
    spark_driver_memory: str = Field(default="1g", validation_alias="SPARK_DRIVER_MEMORY")
    """Heap of Spark's driver."""

    @property
    def days_folder(self) -> Path:
        """The facts' files by day: one folder per fact."""
        return self.marts_path.parent / "days"

    @property
    def build_folder(self) -> Path:
        """Private to the one running build; on the same file system as the published file, so that the rename is
        atomic."""
        return self.marts_path.parent / "build"

    @property
    def state_path(self) -> Path:
        """The tables behind the marts, which refreshes change; private to the process that holds its lock. DuckDB calls
        a file's tables by its name, so it has the one that compiled SQL names, whatever the published file's."""
        return self.marts_path.parent / "state" / "souk.duckdb"

    @property
    def marts_status_path(self) -> Path:
        """Where the process that refreshes the marts says how it goes."""
        return self.home / "run" / "marts-status.json"

    @property
    def refresh_record(self) -> Path:
        """How the last build ended; next to the marts, where their readers find it."""
        return self.marts_path.with_name("refresh.json")
