"""Generated once, kept, ports moved only when somebody else holds them."""

import os
import socket
from pathlib import Path

import pytest

from orchestration.runtime.config import PORT_NAMES, Config, ensure_signing_key
from orchestration.runtime.errors import RuntimeProblem
from orchestration.runtime.layout import Layout, open_layout
from orchestration.runtime.machine import Machine
from orchestration.settings import Settings


def _layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.create()
    return layout


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    layout = _layout(tmp_path)
    config, moved = Config().with_free_ports()
    config.save(layout)
    assert Config.load(layout) == config
    assert (moved, sorted(config.ports)) == ([], sorted(PORT_NAMES))
    assert len(set(config.ports.values())) == len(PORT_NAMES)


def test_a_config_of_a_newer_version_is_refused_and_kept(tmp_path: Path) -> None:
    layout = _layout(tmp_path)
    text = '{"version": 2, "something_new": true}'
    layout.config.write_text(text, encoding="utf-8")
    with pytest.raises(RuntimeProblem, match=r"made by a newer Souk .* has version 2, this one knows up to 1"):
        Config.load(layout)
    assert layout.config.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[]", b"7", b'{"ports": ', b'{"ports": {"api": "x"}}', b'{"version": null}']
)
def test_a_damaged_config_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    layout = _layout(tmp_path)
    layout.config.write_bytes(content)
    with pytest.raises(RuntimeProblem, match=r"config.json is damaged \(.+\). Restore a copy"):
        Config.load(layout)
    assert layout.config.read_bytes() == content


def test_a_state_directory_that_is_no_folder_or_closed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_layout(tmp_path / "new" / "deep").home == tmp_path / "new" / "deep"
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    for odd in (circle, tmp_path / ("x" * 300), Path("~nobody-of-this-name/x")):
        with pytest.raises(RuntimeProblem, match="cannot be used"):
            open_layout(odd)

    def closed(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(RuntimeProblem, match=r"is closed to .*: work as the user who started it"):
        open_layout(tmp_path)


def test_free_ports_stay_and_a_taken_one_moves() -> None:
    config, _ = Config().with_free_ports()
    assert config.with_free_ports() == (config, [])
    with socket.create_server(("127.0.0.1", config.ports["api"])):
        other, moved = config.with_free_ports()
    assert moved == ["api"]
    assert other.ports["api"] != config.ports["api"]
    assert {n: p for n, p in other.ports.items() if n != "api"} == {n: p for n, p in config.ports.items() if n != "api"}


def test_the_signing_key_is_made_once(tmp_path: Path) -> None:
    layout = _layout(tmp_path)
    first = ensure_signing_key(layout).read_text(encoding="ascii")
    assert first.startswith("-----BEGIN PRIVATE KEY-----")
    assert ensure_signing_key(layout).read_text(encoding="ascii") == first


def test_the_environment_names_every_place_and_outside_values_win(tmp_path: Path) -> None:
    config, _ = Config().with_free_ports()
    layout = _layout(tmp_path)
    inside = Machine(Settings.model_validate({"SOUK_HOME": str(tmp_path)}), layout, config).environment()
    assert (
        inside["DATABASE_URL"] == f"postgresql://souk:{config.owner_password}@127.0.0.1:{config.ports['postgres']}/souk"
    )
    assert (
        inside["REPLICATION_URL"]
        == f"postgresql://souk_cdc:{config.replicator_password}@127.0.0.1:{config.ports['postgres']}/souk"
    )
    assert inside["FEAST_REGISTRY_URL"].endswith("/feast")
    assert inside["SOUK_MARTS_PATH"] == str(tmp_path / "marts" / "souk.duckdb")

    given = {
        "DATABASE_URL": "postgresql://me:pw@db.example:5432/shop?sslmode=require",
        "SOUK_LAKE_URI": "s3://lake",
        "SOUK_API_URL": "http://127.0.0.1:8000",
    }
    outside = Machine(Settings.model_validate(given), layout, config).environment()
    assert outside["DATABASE_URL"] == outside["REPLICATION_URL"] == given["DATABASE_URL"]
    assert outside["DAGSTER_DATABASE_URL"] == "postgresql://me:pw@db.example:5432/dagster?sslmode=require"
    assert (outside["SOUK_LAKE_URI"], outside["SOUK_API_URL"]) == ("s3://lake", "http://127.0.0.1:8000")
