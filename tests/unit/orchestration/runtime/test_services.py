"""The service table: what is in it for which settings."""

import importlib.util
import runpy
from pathlib import Path

import pytest

from orchestration.runtime import services
from orchestration.runtime.config import Config
from orchestration.runtime.layout import Layout
from orchestration.runtime.machine import Machine
from orchestration.runtime.services import NAMES, NICENESS, can_run, mlflow_environment, service_table
from orchestration.settings import Settings


def _machine(tmp_path: Path, **given: str) -> Machine:
    layout = Layout(tmp_path)
    layout.create()
    config, _ = Config().with_free_ports()
    return Machine(Settings.model_validate({"SOUK_HOME": str(tmp_path)} | given), layout, config)


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "can_run", lambda module: True)


@pytest.mark.usefixtures("everything")
def test_every_service_of_one_machine_comes_after_what_it_needs(tmp_path: Path) -> None:
    table = service_table(_machine(tmp_path))
    names = [service.name for service in table]
    assert names == [
        *("postgres", "redis", "databases", "migrate", "sandbox", "api", "worker", "cdc", "events", "marts", "online"),
        *("serving", "mlflow", "dagster-code", "dagster", "dagster-daemon"),
    ]
    assert tuple(names) == NAMES
    for position, service in enumerate(table):
        assert set(service.after) <= set(names[:position])


def test_what_shoppers_wait_for_comes_first() -> None:
    waited_for = ("postgres", "redis", "sandbox", "api", "worker", "serving")
    exact_and_early = ("cdc", "events")  # a slow reader makes Postgres and Redis keep more
    assert [name for name in NAMES if name not in NICENESS] == [
        name for name in NAMES if name in {*waited_for, *exact_and_early, "databases", "migrate"}
    ]
    assert set(NICENESS) <= set(NAMES)
    assert min(NICENESS.values()) > 0


@pytest.mark.usefixtures("everything")
def test_outside_servers_are_not_started(tmp_path: Path) -> None:
    given = {"DATABASE_URL": "postgresql://h/x", "REDIS_URL": "redis://h", "MLFLOW_TRACKING_URI": "http://h"}
    names = {service.name for service in service_table(_machine(tmp_path, **given))}
    assert not names & {"postgres", "redis", "mlflow"}
    assert {"databases", "migrate", "api"} <= names


@pytest.mark.usefixtures("everything")
def test_a_chosen_part_depends_only_on_what_is_in_it(tmp_path: Path) -> None:
    table = service_table(_machine(tmp_path, SOUK_SERVICES="redis, api"))
    assert [(service.name, service.after) for service in table] == [("redis", ()), ("api", ("redis",))]


@pytest.mark.usefixtures("everything")
def test_no_password_is_an_argument(tmp_path: Path) -> None:
    machine = _machine(tmp_path)
    arguments = " ".join(" ".join(service.argv) for service in service_table(machine))
    secrets = machine.config.model_dump(exclude={"version", "ports"}).values()
    assert not [secret for secret in secrets if secret in arguments]


def test_a_module_is_found_by_its_file_without_importing_it() -> None:
    assert can_run("orchestration.runtime")
    assert can_run("orchestration.runtime.databases")
    assert not can_run("orchestration.runtime.nothing")
    assert not can_run("no_such_package")
    assert not can_run("transforms")


def test_the_names_given_to_mlflow_are_those_of_the_installed_version() -> None:
    """Read from the wheel's file: importing MLflow costs ten seconds."""
    found = importlib.util.find_spec("mlflow")
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    constants = runpy.run_path(str(package / "server" / "constants.py"))
    names = ("BACKEND_STORE_URI", "REGISTRY_STORE_URI", "ARTIFACT_ROOT", "ARTIFACTS_DESTINATION", "SERVE_ARTIFACTS")
    given = set(mlflow_environment("postgresql://h/mlflow", "/artifacts"))
    assert {constants[f"{name}_ENV_VAR"] for name in names} <= given
    declared = (package / "environment_variables.py").read_text(encoding="utf-8")
    assert all(f'"{name}"' in declared for name in ("_MLFLOW_SGI_NAME", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"))
