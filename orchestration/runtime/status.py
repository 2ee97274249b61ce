"""The state of every service and the progress of the data, as one JSON document. Also answers when nothing runs."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from orchestration.alert_log import ALERTS, AlertLog
from orchestration.runtime.health import (
    HEARTBEAT_SECONDS,
    Check,
    Health,
    exact,
    heartbeat,
    http_ok,
    postgres_ok,
    redis_ok,
)
from orchestration.runtime.machine import Machine
from orchestration.runtime.state import Record, process_of, read_record
from warehouse.files import read_json

# The page of `api` that sellers open; it reads the published marts.
DASHBOARD_PATH = "/seller"
Section = dict[str, object]


def status_of(machine: Machine | None) -> dict[str, Section]:
    """One section per service, plus `lake`, `behaviour`, `marts`, `features` and `alerts`.

    Before the first start every service is unhealthy and every value is null.
    """
    if machine is None:
        return {
            **{name: _section(name, None, None, Health(False, "never started")) for name in _SERVICES},
            "cdc": _section("cdc", None, None, Health(False, "never started")) | _no_cdc(),
            "lake": _NO_LAKE,
            "behaviour": _NO_BEHAVIOUR,
            "marts": {**_section("marts", None, None, Health(False, "never started")), **_NO_MARTS},
            "features": _NO_FEATURES,
            "online": _section("online", None, None, Health(False, "never started")) | dict.fromkeys(_ONLINE),
            "alerts": {"path": None, "open": []},
        }
    addresses, checks = _addresses(machine), _checks(machine)
    pids = {name: _pid(machine, name) for name in _SERVICES}
    with ThreadPoolExecutor(max_workers=len(_SERVICES) + 3) as pool:
        answers = {name: pool.submit(checks[name], pids[name] or 0) for name in _SERVICES}
        lake, marts = pool.submit(lake_status, machine), pool.submit(marts_status, machine)
        behaviour = pool.submit(behaviour_status, machine)
        services = {name: _section(name, addresses[name], pids[name], answers[name].result()) for name in _SERVICES}
        for name, section in services.items():
            record = read_record(machine.layout, "api" if name == "dashboard" else name)
            section["restarts"] = record.restarts if record else 0
            if not section["healthy"] and name not in _outside(machine):
                section["detail"] = _why(record, str(section["detail"]))
        services["cdc"] |= cdc_status(machine)
        services["online"] |= online_status(machine)
        shown = {"lake": lake.result(), "behaviour": behaviour.result()}
        made = {
            "marts": {**services["marts"], **_with_reason(marts.result(), services)},
            "features": features_status(machine),
            "alerts": alerts_status(machine),
        }
        return {**services, **shown, **made}


_SERVICES = (
    "postgres",
    "redis",
    "sandbox",
    "api",
    "worker",
    "cdc",
    "events",
    "marts",
    "online",
    "serving",
    "dagster",
    "mlflow",
    "dashboard",
)
_NO_LAKE: Section = {"uri": None, "lsn": None, "lagBytes": None, "lagSeconds": None}
# Keys of cdc's section that come from its own report.
_CDC_KEYS = ("state", "stoppedTables", "unknownTables", "tables", "slot", "snapshots", "tableSnapshots")
_FRESH_SECONDS = 3.0
_BEHAVIOUR = ("lagSeconds", "streamLength", "landed", "duplicates", "rejected", "late", "future", "landedAt")
_NO_BEHAVIOUR: Section = {"uri": None, **dict.fromkeys(_BEHAVIOUR), "spoolBytes": None}
_NO_MARTS: Section = {
    "path": None,
    "manifest": None,
    "asOf": None,
    "lsn": None,
    "lagSeconds": None,
    "refreshes": None,
    "needsBuild": None,
    "oldSince": None,
    "why": None,
    "withheld": 0,
    "withheldKeys": [],
}
_NO_FEATURES: Section = {"path": None, "lsn": None, "asOf": None}
# Keys of the section `online` that come from its own report.
_ONLINE = ("lsn", "asOf", "last")
# Withheld keys that the status names; `souk sql "select * from mart_withheld"` has all of them.
_NAMED_KEYS = 20


def _outside(machine: Machine) -> set[str]:
    """Servers that the operator runs; the supervisor does not know them."""
    given = {
        "postgres": machine.settings.database_url,
        "redis": machine.settings.redis_url,
        "mlflow": machine.settings.mlflow_tracking_uri,
    }
    return {name for name, address in given.items() if address is not None}


def _why(record: Record | None, answer: str) -> str:
    """The supervisor's message about an unhealthy service, and the answer of the service itself."""
    if record is None:
        return "not started"
    if process_of(record) is None:
        return (
            f"{record.state}: {record.message}"
            if record.message
            else "its process is gone"
            if record.pid
            else record.state
        )
    return answer


def _section(name: str, address: str | None, pid: int | None, health: Health) -> Section:
    return {
        "dsn" if name == "postgres" else "url": address,
        "healthy": health.ok,
        "pid": pid,
        "detail": "" if health.ok else health.detail,
    }


def _pid(machine: Machine, name: str) -> int | None:
    process = process_of(read_record(machine.layout, "api" if name == "dashboard" else name))
    return None if process is None else process.pid


def _addresses(machine: Machine) -> Mapping[str, str | None]:
    web = {name: machine.address(name) for name in ("sandbox", "api", "serving", "dagster", "mlflow")}
    # These listen on no port.
    return {
        **web,
        "postgres": machine.database_url,
        "redis": machine.redis_url,
        "worker": None,
        "cdc": None,
        "events": None,
        "marts": None,
        "online": None,
        "dashboard": web["api"] + DASHBOARD_PATH,
    }


def _checks(machine: Machine) -> Mapping[str, Check]:
    run = machine.layout.run
    api = http_ok(f"{machine.address('api')}/health/ready")
    return {
        "postgres": postgres_ok(machine.database_url if machine.settings.database_url else machine.cluster.url()),
        "redis": redis_ok(machine.redis_url),
        "sandbox": http_ok(f"{machine.address('sandbox')}/health/ready"),
        "api": api,
        "worker": _only_alive(heartbeat(run / "worker-status.json")),
        "cdc": exact(run / "cdc-status.json", _only_alive(heartbeat(run / "cdc-status.json"))),
        "events": _only_alive(heartbeat(run / "events-status.json")),
        "marts": _only_alive(heartbeat(run / "marts-status.json")),
        "online": _only_alive(heartbeat(run / "online-status.json")),
        "serving": http_ok(f"{machine.address('serving')}/health/live"),
        "dagster": http_ok(f"{machine.address('dagster')}/server_info"),
        "mlflow": http_ok(f"{machine.address('mlflow')}/health"),
        "dashboard": api,
    }


def _only_alive(check: Callable[[int], Health]) -> Check:
    """Ignore a recent heartbeat when its process has ended."""
    return lambda pid: check(pid) if pid else Health(False, "not running")


def _no_cdc() -> Section:
    return dict.fromkeys(_CDC_KEYS)


def cdc_status(machine: Machine) -> Section:
    """What cdc reports of the lake's tables, the slot and its snapshots; null where it has never reported."""
    reported = read_json(machine.layout.run / "cdc-status.json")
    return {key: reported.get(key) for key in _CDC_KEYS}


def lake_status(machine: Machine) -> Section:
    """How far the lake is behind Postgres: cdc's last report, or a measurement here when cdc does not report.

    A report that is some seconds old says nothing about these seconds, so they count as lag.
    """
    reported = read_json(machine.layout.run / "cdc-status.json")
    lsn = reported.get("lsn")
    age = _age_seconds(reported.get("updatedAt"))
    lag_bytes, lag_seconds = reported.get("lagBytes"), reported.get("lagSeconds")
    if age is not None and age > HEARTBEAT_SECONDS:
        lag_bytes, lag_seconds = _bytes_after(machine.database_url, lsn), round(age, 1)
    elif age is not None and age > _FRESH_SECONDS and isinstance(lag_seconds, int | float):
        lag_seconds = round(lag_seconds + age, 1)
    return {"uri": machine.settings.lake_uri, "lsn": lsn, "lagBytes": lag_bytes, "lagSeconds": lag_seconds}


def behaviour_status(machine: Machine) -> Section:
    """How far behaviour events are behind their stream: the consumer's last report, and what waits on disk.

    Counts are since the consumer began. The lag grows while the consumer does not report.
    """
    reported = read_json(machine.layout.run / "events-status.json")
    section: Section = {"uri": f"{machine.settings.lake_uri.rstrip('/')}/behaviour/events"}
    section |= {name: reported.get(name) for name in _BEHAVIOUR}
    age, lag = _age_seconds(reported.get("updatedAt")), reported.get("lagSeconds")
    if age is not None and age > _FRESH_SECONDS and isinstance(lag, int | float):
        section["lagSeconds"] = round(lag + age, 1)
    spool = [path.stat().st_size for path in (machine.layout.home / "spool").glob("behaviour*")]
    return section | {"spoolBytes": sum(spool)}


def _bytes_after(database_url: str, lsn: object) -> int | None:
    import psycopg  # takes half a second to import; commands without a database do not need it

    try:
        with psycopg.connect(database_url, connect_timeout=3) as connection:
            row = connection.execute(
                "select pg_wal_lsn_diff(pg_current_wal_flush_lsn(), %s::text::pg_lsn)::bigint", (lsn,)
            ).fetchone()
    except psycopg.Error:
        return None
    return None if row is None else row[0]


def marts_status(machine: Machine) -> Section:
    """The published marts file, the dbt manifest, the time as of which the marts hold the orders, what they lack, since
    when and why they are old; and how far the refreshes are: `lagSeconds` since the lake first had something that the
    marts lack."""
    manifest, path = machine.settings.dbt_target / "manifest.json", machine.settings.marts_path
    as_of, withheld, keys = _as_of(path)
    record = read_json(path.with_name("refresh.json"))
    reported = read_json(machine.layout.run / "marts-status.json")
    age = _age_seconds(reported.get("updatedAt"))
    alive = age is not None and age <= HEARTBEAT_SECONDS
    behind = _age_seconds(reported.get("behindSince")) if reported.get("behindSince") else 0.0
    why = why_old(record, reported if alive else {})
    return {
        "path": str(path),
        "manifest": str(manifest),
        "asOf": as_of,
        "lsn": reported.get("lsn"),
        "lagSeconds": round(behind, 1) if alive and behind is not None else None,
        "refreshes": reported.get("refreshes"),
        "needsBuild": reported.get("needsBuild") if alive else None,
        "oldSince": as_of if why else None,
        "why": why,
        "withheld": withheld,
        "withheldKeys": keys,
    }


def why_old(build: Mapping[str, object], refreshes: Mapping[str, object]) -> str | None:
    """Why the marts are old, from the record of the last build and the report of the process that refreshes them; None
    while both are good."""
    if build.get("failures"):
        return f"{build['failures']} refreshes failed since {build['failingSince']}: {build['error']}"
    if refreshes.get("failingSince"):
        return f"refreshes fail since {refreshes['failingSince']}: {refreshes['error']}"
    if refreshes.get("needsBuild") and refreshes.get("behindSince"):
        return f"refreshes wait for a full build since {refreshes['behindSince']}: {refreshes['needsBuild']}"
    return None


def features_status(machine: Machine) -> Section:
    """The watermark of the published feature files, which training and serving read."""
    folder = machine.layout.home / "features" / "current"
    mark = read_json(folder / "watermark.json")
    return {"path": str(folder), "lsn": mark.get("lsn"), "asOf": mark.get("asOf")}


def online_status(machine: Machine) -> Section:
    """The watermark of the feature rows in Redis, and what was written last."""
    reported = read_json(machine.layout.run / "online-status.json")
    return {key: reported.get(key) for key in _ONLINE}


def alerts_status(machine: Machine) -> Section:
    """Failed runs, failed checks and stale tables that nothing has resolved; the file holds the resolved ones too."""
    log = AlertLog(machine.layout.home / ALERTS)
    return {"path": str(log.path), "open": [asdict(alert) for alert in log.open()]}


def _with_reason(marts: Section, services: Mapping[str, Section]) -> Section:
    """Marts that nothing refreshes are old, also when their last build was good."""
    if marts["why"] is not None or marts["asOf"] is None:
        return marts
    down = next((name for name in ("cdc", "dagster") if not services[name]["healthy"]), None)
    return {**marts, "oldSince": marts["asOf"], "why": f"{down}: {services[down]['detail']}"} if down else marts


def _as_of(path: Path) -> tuple[str | None, int, list[str]]:
    """The newest commit inside, how many keys were withheld, and the first of them by name."""
    if not path.exists():
        return None, 0, []
    import duckdb  # takes half a second to import; most commands do not need it

    count, keys = 0, []
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            row = connection.execute("select max(as_of) from main.mart_watermark").fetchone()
            try:
                counted = connection.execute("select count(distinct (kind, key)) from main.mart_withheld").fetchone()
                named = connection.execute(_WITHHELD, [_NAMED_KEYS]).fetchall()
                count, keys = (
                    int(counted[0]) if counted else 0,
                    [f"{kind} {name}: {rule}" for kind, name, rule in named],
                )
            except duckdb.CatalogException:  # a file of an earlier release, until the next build
                pass
    except duckdb.Error:
        return None, 0, []
    return _moment(row), count, keys


_WITHHELD = "select distinct kind, name, rule from main.mart_withheld order by all limit ?"


def _moment(row: tuple[object, ...] | None) -> str | None:
    moment = row[0] if row else None
    if not isinstance(moment, datetime):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def _age_seconds(moment: object) -> float | None:
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(str(moment))).total_seconds()
    except (ValueError, TypeError):
        return None
