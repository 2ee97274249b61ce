"""Dagster's storage in Postgres over connections that a process keeps.

Dagster's own opens a connection for every statement, makes a storage for every tick of a sensor, and asks before most
statements whether the tables have been migrated. A connection costs the server a new process and both sides the hash of
a password, together many times what a statement costs.
"""

import select
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, ParamSpec

import dagster as dg
import sqlalchemy as sa
from dagster._core.events import StepMaterializationData
from dagster._core.instance.utils import RUNLESS_JOB_NAME, RUNLESS_RUN_ID
from dagster._core.storage.event_log.migration import ASSET_KEY_INDEX_COLS
from dagster._core.storage.event_log.schema import AssetKeyTable, SqlEventLogStorageTable
from dagster._core.utils import coerce_valid_log_level
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import create_pg_engine, pg_url_from_config
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

P = ParamSpec("P")
# Connections that a process keeps; while it needs more it opens more, and closes them when they are not used any more.
_KEPT, _MORE = 2, 100
# Of the schema: Dagster adds tables, columns and indexes, and never removes one. A true answer holds for the process.
_RUNS = ("has_built_index",)
_EVENTS = ("has_table", "_has_asset_key_col_on_connection", "has_secondary_index")
_SCHEDULES = ("_has_instigators_table", "has_instigators_table", "has_secondary_index_table", "has_built_index")
_true: dict[str, set[tuple[object, ...]]] = {}


@cache
def engine(url: str) -> sa.Engine:
    """The connections of this process to a database."""
    made = create_pg_engine(url, isolation_level="AUTOCOMMIT", pool_size=_KEPT, max_overflow=_MORE, pool_use_lifo=True)
    sa.event.listen(made, "checkout", _refuse_closed)
    return made


def _refuse_closed(connection: DBAPIConnection, _: ConnectionPoolEntry, __: PoolProxiedConnection) -> None:
    """Do not use a connection that the server has closed meanwhile: nobody has asked anything, so what there is to
    read is its farewell. The pool then opens another one."""
    if select.select([connection], [], [], 0)[0]:
        raise sa.exc.DisconnectionError


def _true_for_good(known: set[tuple[object, ...]], question: str, ask: Callable[P, bool]) -> Callable[P, bool]:
    """`ask`, which is not asked again what it has said yes to. The connection that it may ask over is no part of the
    question."""

    def answer(*args: P.args, **kwargs: P.kwargs) -> bool:
        key = (question, *(arg for arg in args if not isinstance(arg, sa.Connection)), *sorted(kwargs.items()))
        if key in known:
            return True
        if yes := ask(*args, **kwargs):
            known.add(key)
        return yes

    return answer


class KeptPostgresStorage(DagsterPostgresStorage):
    """Dagster's runs, events and ticks."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        first = postgres_url not in _true
        super().__init__(postgres_url, should_autocreate_tables=first, inst_data=inst_data)
        known = _true.setdefault(postgres_url, set())
        parts = ((self._run_storage, _RUNS), (self._event_log_storage, _EVENTS), (self._schedule_storage, _SCHEDULES))
        for storage, questions in parts:
            # Dagster has a setting for the connections of its pages only.
            storage._engine = engine(postgres_url)  # noqa: SLF001
            for name in questions:
                question = f"{type(storage).__name__}.{name}"
                setattr(storage, name, _true_for_good(known, question, getattr(storage, name)))

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # Any: what Dagster declares
    ) -> "KeptPostgresStorage":
        """Read `storage.custom.config` of dagster.yaml."""
        return cls(pg_url_from_config(config_value), inst_data)


def report_made(instance: dg.DagsterInstance, made: Sequence[dg.AssetMaterialization]) -> None:
    """`report_runless_asset_event` of each, on Postgres as one transaction of three statements.

    Dagster writes an event as two transactions and five statements, and of a batch it notes the last asset only.
    """
    log = instance.event_log_storage
    if not isinstance(log, PostgresEventLogStorage):
        for one in made:
            instance.report_runless_asset_event(one)
        return
    if not made:
        return
    events = [_event(one) for one in made]
    kept, assets = SqlEventLogStorageTable, AssetKeyTable.c
    # These four are what its own store_event is made of.
    rows = [log._event_to_row(event) for event in events]  # noqa: SLF001
    insert = kept.insert().returning(kept.c.id, sort_by_parameter_order=True)
    with log.index_transaction() as connection:
        ids = [row[0] for row in connection.execute(insert, rows)]
        log._store_asset_event_tags(connection, events, ids)  # noqa: SLF001
        known = log.has_secondary_index(ASSET_KEY_INDEX_COLS)
        newest = {
            _asset(event): log._get_asset_entry_values(event, number, known)  # noqa: SLF001
            for event, number in zip(events, ids, strict=True)
        }
        upsert = postgresql.insert(AssetKeyTable)
        upsert = upsert.on_conflict_do_update(
            index_elements=[assets.asset_key],
            set_={name: upsert.excluded[name] for name in next(iter(newest.values()))},
        )
        # In one order, so that two of these at a time do not wait for each other.
        connection.execute(upsert, [{"asset_key": asset, **values} for asset, values in sorted(newest.items())])


def _event(made: dg.AssetMaterialization) -> dg.EventLogEntry:
    """What `report_runless_asset_event` writes."""
    return dg.EventLogEntry(  # type: ignore[no-untyped-call]  # Dagster has not written them
        user_message="",
        level=coerce_valid_log_level("INFO"),
        job_name=RUNLESS_JOB_NAME,
        run_id=RUNLESS_RUN_ID,
        error_info=None,
        timestamp=time.time(),
        step_key=None,
        dagster_event=dg.DagsterEvent(
            event_type_value=dg.DagsterEventType.ASSET_MATERIALIZATION.value,
            event_specific_data=StepMaterializationData(made),
            job_name=RUNLESS_JOB_NAME,
        ),
    )


def _asset(event: dg.EventLogEntry) -> str:
    key = event.get_dagster_event().asset_key
    if key is None:
        raise AssertionError("a materialization names its asset")
    return key.to_string()
