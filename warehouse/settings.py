"""The only place in this package that reads the environment."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from warehouse.environment import DATABASE, LOCAL_REDIS, REDIS, Failpoints
from warehouse.places import CONTRACT_PATH, ContractPath, LakeUri, Places

REPLICATION = "The same database as a role that may replicate and read every published table; empty: DATABASE_URL."
LakeRetention = Annotated[int, Field(ge=1, description="A watermark younger than this stays readable.")]


class WarehouseSettings(Places):
    """Where the source and the lake are, and how often the one is written to the other."""

    database_url: SecretStr = Field(default=SecretStr(""), validation_alias="DATABASE_URL", description=DATABASE)
    replication_url: SecretStr = Field(
        default=SecretStr(""), validation_alias="REPLICATION_URL", description=REPLICATION
    )
    lake_uri: LakeUri
    contract_path: ContractPath = CONTRACT_PATH
    failpoints: Failpoints = ""

    cdc_slot: str = "souk_cdc"
    """The replication slot of change data capture."""
    cdc_flush_seconds: float = Field(default=0.2, gt=0)
    """The shortest time between two batches; a change after a longer silence is written at once."""
    cdc_flush_rows: int = Field(default=100_000, gt=0)
    """A batch of so many rows is written at once."""
    cdc_spill_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    """Above this size a batch is kept in Arrow files instead of memory."""
    cdc_heartbeat_seconds: float = Field(default=10.0, gt=0)
    """How often the slot is confirmed when nothing changes."""
    cdc_publication_seconds: float = Field(default=3.0, gt=0)
    """How often the publication's tables are compared with those that the lake was read from."""
    cdc_heal_seconds: float = Field(default=30.0, gt=0)
    """First pause before a stopped table is tried again."""
    cdc_fold_rows: int = Field(default=20_000, gt=0)
    """A table with fewer changes above its base keeps the base, whatever their share of it."""
    cdc_fold_seconds: float = Field(default=20.0, gt=0)
    """The hot log's rows become Delta commits this long after the first of them."""
    cdc_fold_files: int = Field(default=8, gt=1)
    """Files of about one size in a change log after which they are joined into one."""
    lake_retention_hours: LakeRetention = 24

    @property
    def source_url(self) -> str:
        """The libpq URL CDC connects with; raises ValueError when neither variable is set."""
        url = self.replication_url.get_secret_value() or self.database_url.get_secret_value()
        if not url:
            raise ValueError("set REPLICATION_URL or DATABASE_URL to the Postgres database to replicate")
        return url

    @property
    def status_path(self) -> Path:
        return self.home / "run" / "cdc-status.json"

    @property
    def mend_path(self) -> Path:
        """Where `warehouse.mend` leaves the names of the tables to read again."""
        return self.home / "run" / "cdc-mend"

    @property
    def spool_path(self) -> Path:
        return self.home / "spool" / "cdc"


class EventSettings(Places):
    """Where behaviour events come from and how they are landed."""

    redis_url: SecretStr = Field(default=LOCAL_REDIS, validation_alias="REDIS_URL", description=REDIS)
    lake_uri: LakeUri
    failpoints: Failpoints = ""
    events_flush_seconds: float = Field(default=5.0, gt=0)
    """Behaviour events are written to the lake this long after the first of a batch."""
    events_flush_rows: int = Field(default=20_000, gt=0)
    """A batch of so many behaviour events is written at once."""
    events_horizon_days: int = Field(default=30, ge=1)
    """An event id is known as a repeat for this long; an event that is older when it arrives is set aside."""
    search_log_days: int = Field(default=400, ge=1)
    """What people typed into the search box is forgotten after so many days; that there was a search stays."""
    lake_retention_hours: LakeRetention = 24
    kafka_brokers: str = ""
    """Kafka's bootstrap servers, host:port,...: behaviour events go through a topic. Empty: from Redis to the lake."""
    kafka_topic: str = "souk.behaviour"
    """The topic of behaviour events; its retention must be longer than the longest outage of the lake."""
