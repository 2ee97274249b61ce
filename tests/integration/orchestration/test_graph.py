"""Dagster's graph: equal to dbt's own manifest, loadable where nothing exists yet.

The whole graph is pinned by the generated `__snapshots__/dagster_graph.json`: its diff is reviewed like code.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.graph.dbt_graph import read_project
from orchestration.graph.definitions import defs
from tests.harness.processes import ROOT
from transforms.dbt_project import parse_manifest
from transforms.settings import TransformSettings

ARROW = ("warehouse", "transforms", "days", "features", "training", "serving")


def test_every_asset_says_who_owns_it_and_what_it_is() -> None:
    graph = defs.resolve_asset_graph()

    for key in graph.get_all_asset_keys():
        node, name = graph.get(key), key.to_user_string()
        assert node.owners, f"{name} has no owner: give its asset owners=['team:...']"
        assert node.group_name in ARROW, f"{name} is in group {node.group_name}: choose one of ARROW, or add it there"
        assert node.description, f"{name} has no description: give its function a docstring"
        assert node.kinds, f"{name} has no kinds: name what makes it, kinds={{'duckdb'}}"
        assert node.code_version, f"{name} has no code version: code_version=version_of(its package)"


def test_every_check_says_what_it_compares() -> None:
    graph = defs.resolve_asset_graph()

    for key in graph.asset_check_keys:
        assert graph.get(key).description, f"check {key.name} of {key.asset_key.to_user_string()} has no description"


def test_no_arrow_points_backwards() -> None:
    graph = defs.resolve_asset_graph()

    for key in graph.get_all_asset_keys():
        for parent in graph.get(key).parent_keys:
            assert ARROW.index(graph.get(parent).group_name) <= ARROW.index(graph.get(key).group_name), (parent, key)


@pytest.mark.slow
def test_the_graph_read_from_the_files_is_dbts_own(tmp_path: Path) -> None:
    settings = TransformSettings(home=tmp_path)
    nodes = parse_manifest(settings)["nodes"]
    tested = {
        p.split(".")[-1] for n in nodes.values() if n["resource_type"] == "test" for p in n["depends_on"]["nodes"]
    }

    ours = {model.name: model for model in read_project(settings.dbt_project)}

    theirs = {node["name"]: node for node in nodes.values() if node["resource_type"] == "model"}
    assert set(ours) == set(theirs)
    for name, node in theirs.items():
        parents = {p.split(".")[-1] for p in node["depends_on"]["nodes"] if not p.startswith("source.souk.build.")}
        assert set(ours[name].parents) == parents, name
        assert ours[name].description == " ".join(node["description"].split()), name
        assert not ours[name].tested or name in tested, name


@pytest.mark.slow
def test_dagster_loads_with_a_fresh_home_and_nothing_else(tmp_path: Path) -> None:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SOUK_", "DATABASE_", "DAGSTER_", "REDIS_"))
    }
    env = {
        **clean,
        "DAGSTER_HOME": str(tmp_path / "dagster"),
        "SOUK_HOME": str(tmp_path / "home"),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    (tmp_path / "dagster").mkdir()

    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-m", "orchestration.graph.definitions"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "home").exists()


def test_loading_imports_no_heavy_wheel() -> None:
    heavy = ("pyspark", "torch", "mlflow", "feast")
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys, orchestration.graph.definitions; print([name for name in {heavy!r} if name in sys.modules])",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert loaded.stdout.strip() == "[]"
