"""dbt begins with the kept parse of the project, which is of exactly these files or is not read."""

import shutil
from pathlib import Path

import pytest

from tests.integration.conftest import BuiltMarts
from transforms.dbt_parsed import keep_parsed, kept_file, read_parsed
from transforms.dbt_project import load_manifest
from transforms.settings import DBT_PROJECT

DATABASE = Path("souk.duckdb")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, next to which nothing is kept."""
    return Path(shutil.copytree(DBT_PROJECT, tmp_path / "dbt", ignore=shutil.ignore_patterns("__pycache__")))


def test_the_kept_parse_is_of_the_project_that_was_built(
    built_marts: BuiltMarts, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = built_marts.settings.dbt_target
    built = load_manifest(built_marts.result.manifest)["nodes"]
    parsed = read_parsed(kept_file(DBT_PROJECT, DATABASE))
    assert parsed is not None
    assert {key: node.raw_code for key, node in parsed.nodes.items()} == {
        key: node["raw_code"] for key, node in built.items()
    }
    assert {key: node.depends_on_nodes for key, node in parsed.nodes.items() if key.startswith("model.")} == {
        key: node["depends_on"]["nodes"] for key, node in built.items() if key.startswith("model.")
    }

    kept = kept_file(project, DATABASE)
    assert read_parsed(kept) is None
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    keep_parsed(kept, target)
    assert not kept.exists()


@pytest.mark.parametrize("name", ["models/marts/core/fct_orders.sql", "models/marts/core/fct_orders.yml"])
def test_a_project_that_changed_is_parsed_anew(project: Path, name: str) -> None:
    before = kept_file(project, DATABASE)
    assert before == kept_file(project, DATABASE)
    assert before.name == kept_file(DBT_PROJECT, DATABASE).name

    with (project / name).open("a", encoding="utf-8") as file:
        file.write("\n")

    assert kept_file(project, DATABASE) != before
    assert kept_file(project, Path("other.duckdb")).name.startswith("other.")


def test_a_damaged_parse_is_as_none_and_an_earlier_one_goes(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    (tmp_path / "partial_parse.msgpack").write_bytes(b"\x81 no manifest")
    kept = kept_file(project, DATABASE)
    earlier = kept.with_name(f"{DATABASE.stem}.0000000000000000.msgpack")
    earlier.parent.mkdir()
    earlier.write_bytes(b"of an earlier state")

    keep_parsed(kept, tmp_path)

    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    assert read_parsed(kept) is None
