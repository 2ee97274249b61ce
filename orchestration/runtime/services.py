"""The table of processes that `souk up` runs, in order of dependency. A new process is one entry here."""

import importlib.machinery
import importlib.util
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.runtime.dagster_home import write_dagster_home
from orchestration.runtime.health import Check, alive, heartbeat, http_ok, port_open, postgres_ok, redis_ok
from orchestration.runtime.machine import Machine
from orchestration.settings import ROOT

# Every name that the table below can hold, in its order. The settings and the installed packages decide which it holds.
NAMES = (
    *("postgres", "redis", "databases", "migrate", "sandbox", "api", "worker", "cdc", "events", "marts", "online"),
    *("serving", "mlflow", "dagster-code", "dagster", "dagster-daemon"),
)
# These take what the shop, its database and change capture leave, which is everything while those rest. A build of all
# marts uses every core, and shoppers would wait meanwhile.
NICENESS: Mapping[str, int] = {
    "marts": 5,
    "online": 5,
    "mlflow": 10,
    "dagster-code": 10,  # with the runs that it starts
    "dagster": 10,
    "dagster-daemon": 10,
}


@dataclass(frozen=True)
class Service:
    """One process. `once`: it runs to its end and must exit 0. All others are kept running."""

    name: str
    argv: tuple[str, ...]
    check: Check
    after: tuple[str, ...] = ()
    url: str | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    prepare: Callable[[], None] | None = None
    once: bool = False
    drop_root: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 15.0
    start_seconds: float = 400.0  # a busy machine with a cold cache takes minutes to import MLflow and Dagster


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def can_run(module: str) -> bool:
    """Whether `python -m module` can start in the repository's folder, from any current folder.

    Looks for the file: the import system would import the parent packages, which takes seconds for some.
    """
    first, *rest = module.split(".")
    found = importlib.machinery.PathFinder.find_spec(first, [str(ROOT), *sys.path]) or importlib.util.find_spec(first)
    if found is None or found.submodule_search_locations is None:
        return found is not None
    stems = [Path(folder, *rest) for folder in found.submodule_search_locations]
    return any((stem / "__main__.py").exists() or (rest and stem.with_suffix(".py").exists()) for stem in stems)


def service_table(machine: Machine) -> tuple[Service, ...]:
    """The processes of this machine: embedded servers that no setting replaces, then Souk's own.

    Only installed and chosen ones are listed.
    """
    chosen = machine.settings.chosen_services
    table = [*_stores(machine), *_shop(machine), *_platform(machine)]
    modules = {service.name: service.argv[2] for service in table if service.argv[:2] == (sys.executable, "-m")}
    kept = [
        s for s in table if (not chosen or s.name in chosen) and (s.name not in modules or can_run(modules[s.name]))
    ]
    names = {service.name for service in kept}
    return tuple(_without_missing(service, names) for service in kept)


def _without_missing(service: Service, names: set[str]) -> Service:
    after = tuple(name for name in service.after if name in names)
    return service if after == service.after else Service(**{**service.__dict__, "after": after})


def _stores(machine: Machine) -> list[Service]:
    stores = []
    given = machine.settings.database_url
    outside = given.get_secret_value() if given else ""
    if given is None:
        cluster = machine.cluster

        def prepare_postgres() -> None:
            cluster.initialise()
            cluster.clear_stale_pid()

        stores.append(
            Service(
                "postgres",
                tuple(cluster.argv()),
                postgres_ok(cluster.url()),
                url=f"postgresql://127.0.0.1:{cluster.port}",
                prepare=prepare_postgres,
                drop_root=True,
                stop_signal=signal.SIGINT,  # Postgres' fast shutdown; SIGTERM waits for clients
                grace_seconds=60.0,
            )
        )
    if machine.settings.redis_url is None:
        server = machine.redis_server
        stores.append(
            Service(
                "redis",
                tuple(server.argv()),
                redis_ok(server.url),
                url=f"redis://127.0.0.1:{server.port}",
                prepare=server.initialise,
            )
        )
    return [
        *stores,
        Service(
            "databases",
            _python("orchestration.runtime.databases"),
            alive,
            after=("postgres",),
            env={"DATABASE_URL": outside},
            once=True,
        ),
        Service("migrate", _python("api.operations.migrate"), alive, after=("databases",), once=True),
    ]


def _shop(machine: Machine) -> list[Service]:
    api, sandbox, serving = machine.address("api"), machine.address("sandbox"), machine.address("serving")
    run = machine.layout.run
    return [
        Service("sandbox", _python("api.sandbox"), http_ok(f"{sandbox}/health/ready"), url=sandbox),
        Service(
            "api",
            _python("api"),
            http_ok(f"{api}/health/ready"),
            after=("migrate", "redis", "sandbox"),
            url=api,
            grace_seconds=30.0,
        ),
        Service(
            "worker",
            _python("api.worker"),
            heartbeat(run / "worker-status.json"),
            after=("migrate", "redis", "sandbox"),
        ),
        Service(
            "cdc", _python("warehouse.cdc"), heartbeat(run / "cdc-status.json"), after=("migrate",), grace_seconds=30.0
        ),
        Service(
            "events",
            _python("warehouse.events"),
            heartbeat(run / "events-status.json"),
            after=("redis",),
            grace_seconds=30.0,
        ),
        Service("marts", _python("transforms.refresh"), heartbeat(run / "marts-status.json"), after=("migrate",)),
        Service(
            "online",
            _python("features.follow"),
            heartbeat(run / "online-status.json"),
            after=("databases", "redis"),
        ),
        Service("serving", _python("serving"), http_ok(f"{serving}/health/live"), after=("redis",), url=serving),
    ]


def mlflow_environment(database_url: str, artifacts: str) -> dict[str, str]:
    """Variables that `mlflow server` sets for its application, as named by the pinned version (tested on the wheel)."""
    return {
        "_MLFLOW_SERVER_FILE_STORE": database_url,
        "_MLFLOW_SERVER_REGISTRY_STORE": database_url,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": artifacts,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def _platform(machine: Machine) -> list[Service]:
    dagster, mlflow, code_port = (
        machine.address("dagster"),
        machine.address("mlflow"),
        machine.config.ports["dagster-code"],
    )
    services = []
    if machine.settings.mlflow_tracking_uri is None and can_run("mlflow"):
        services.append(
            Service(
                "mlflow",
                _python("orchestration.runtime.mlflow_server"),
                http_ok(f"{mlflow}/health"),
                after=("databases",),
                url=mlflow,
                env=mlflow_environment(machine.sibling_database("mlflow"), str(machine.layout.home / "mlflow")),
            )
        )
    if not (can_run("dagster") and can_run("dagster_webserver")):
        return services
    # The pages and the daemon share one code server: the definitions (dbt manifest, Feast) are loaded once.
    return [
        *services,
        Service(
            "dagster-code",
            # With the entry point option, runs start with this interpreter and not with the one on PATH.
            _python(
                *("orchestration.graph.code_server", "-m", "orchestration.graph.definitions"),
                *("--use-python-environment-entry-point", "-h", "127.0.0.1", "-p", str(code_port)),
            ),
            port_open(code_port),
            after=("databases",),
            prepare=lambda: write_dagster_home(machine.layout.home / "dagster", code_port),
        ),
        Service(
            "dagster",
            _python(
                "orchestration.graph.pages",
                "-h",
                "127.0.0.1",
                "-p",
                dagster.rsplit(":", 1)[1],
                "-w",
                str(machine.layout.home / "dagster/workspace.yaml"),
            ),
            http_ok(f"{dagster}/server_info"),
            after=("dagster-code",),
            url=dagster,
        ),
        # After the pages: the first to start creates the tables in Dagster's database, and two at once collide.
        Service(
            "dagster-daemon",
            _python("orchestration.graph.daemon"),
            alive,
            after=("dagster",),
        ),
    ]
