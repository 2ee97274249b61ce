"""Run the dbt project in this process on one private DuckDB file."""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transforms.dbt_parsed import keep_parsed, kept_file, read_parsed
from transforms.errors import BuildFailed, FailedTest
from transforms.settings import TransformSettings

_BAD = {"error", "fail", "runtime error", "skipped"}


@dataclass(frozen=True)
class DbtRun:
    """What dbt did: nodes by outcome, and where it wrote its artefacts."""

    models: int
    tests: int
    unit_tests: int
    manifest: Path
    run_results: Path


BUILD = ("build", "--exclude-resource-type", "unit_test")


def run_dbt(settings: TransformSettings, database: Path, command: Sequence[str] = BUILD) -> DbtRun:
    """Run one dbt command (models and data tests by default) on `database`.

    Raises BuildFailed naming every node that did not pass. The database file is closed on return, whatever happened.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.artifacts.schemas.run import RunExecutionResult
    from dbt.cli.main import dbtRunner

    settings.dbt_target.mkdir(parents=True, exist_ok=True)
    arguments = [
        *_global_arguments(settings),
        *command,
        *_project_arguments(settings, database),
        "--threads",
        str(settings.dbt_threads),
    ]
    kept = kept_file(settings.dbt_project, database)
    parsed = read_parsed(kept)
    try:
        answer = dbtRunner(manifest=parsed).invoke(arguments)
    finally:
        # dbt-duckdb keeps the file open for the life of the process; publishing must open it with other settings.
        if vars(DuckDBConnectionManager).get("_ENV") is not None:
            close: Callable[[], None] = DuckDBConnectionManager.env().close
            close()
    if answer.exception is not None:
        raise BuildFailed([str(answer.exception)]) from answer.exception
    if parsed is None:
        keep_parsed(kept, settings.dbt_target)
    if not isinstance(answer.result, RunExecutionResult):
        raise BuildFailed([f"dbt {command[0]} gave {type(answer.result).__name__}, not results"])
    results = list(answer.result)
    failures = [
        f"{result.node.unique_id}: {result.status}: {result.message or ''}"
        for result in results
        if str(result.status) in _BAD
    ]
    if failures or not answer.success:
        tests = [_failed_test(result.node) for result in results if str(result.status) == "fail"]
        fatal = any(str(result.status) in _BAD - {"fail", "skipped"} for result in results)
        raise BuildFailed(failures or ["dbt reported failure without naming a node"], tests, fatal=fatal)
    kinds = [str(result.node.resource_type) for result in results]
    return DbtRun(
        models=kinds.count("model"),
        tests=kinds.count("test"),
        unit_tests=kinds.count("unit_test"),
        manifest=settings.dbt_target / "manifest.json",
        run_results=settings.dbt_target / "run_results.json",
    )


def _failed_test(node: Any) -> FailedTest:  # Any: dbt has a class per kind of node
    models = tuple(name.rsplit(".", 1)[1] for name in node.depends_on.nodes if name.startswith("model."))
    return FailedTest(
        rule=node.description or node.name,
        sql=node.compiled_code,
        column=getattr(node, "column_name", None),
        models=models,
    )


def mart_names(project: Path) -> tuple[str, ...]:
    """Names of the marts, the tables of the published file, from the project's own files."""
    return tuple(sorted(path.stem for path in (project / "models" / "marts").rglob("*.sql")))


def parse_manifest(
    settings: TransformSettings,
) -> dict[str, Any]:  # Any: dbt's manifest is a JSON document of its own schema
    """Write the manifest without running anything and return it: for graph tests and for Dagster's first load."""
    from dbt.cli.main import dbtRunner

    settings.dbt_target.mkdir(parents=True, exist_ok=True)
    database = settings.build_folder / "souk.duckdb"
    answer = dbtRunner().invoke([*_global_arguments(settings), "parse", *_project_arguments(settings, database)])
    if not answer.success:
        raise BuildFailed([str(answer.exception)])
    return load_manifest(settings.dbt_target / "manifest.json")


def keep_parse() -> None:
    """Parse the project of the repository once, for every build to come."""
    with tempfile.TemporaryDirectory() as home:
        settings = TransformSettings(home=Path(home))
        parse_manifest(settings)
        keep_parsed(kept_file(settings.dbt_project, settings.build_folder / "souk.duckdb"), settings.dbt_target)


def load_manifest(path: Path) -> dict[str, Any]:  # Any: as above
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))  # Any: as above
    return loaded


def _global_arguments(settings: TransformSettings) -> list[str]:
    return [
        "--no-send-anonymous-usage-stats",
        "--no-version-check",
        "--no-use-colors",
        "--quiet",
        "--log-level-file",
        "none",
        "--log-path",
        str(settings.dbt_target.parent / "logs"),
    ]


def _project_arguments(settings: TransformSettings, database: Path) -> list[str]:
    project = str(settings.dbt_project)
    return [
        "--project-dir",
        project,
        "--profiles-dir",
        project,
        "--target-path",
        str(settings.dbt_target),
        "--vars",
        json.dumps({"souk_database": str(database), "souk_lake": settings.lake_uri}),
    ]
