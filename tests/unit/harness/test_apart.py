"""A benchmark's own shop is apart from the platform that `souk bench` names in the environment."""

import os
from pathlib import Path

import pytest

from tests.benchmarks.apart import leave_platform
from transforms.settings import TransformSettings


def test_a_benchmark_of_its_own_home_does_not_see_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())  # what else is set stays for the next test
    platform, home = tmp_path / "platform", tmp_path / "home"
    for name, value in (("SOUK_LAKE_URI", platform / "lake"), ("SOUK_MARTS_PATH", platform / "souk.duckdb")):
        monkeypatch.setenv(name, str(value))
    named = TransformSettings(home=home)

    monkeypatch.setenv("FEAST_REGISTRY_URL", "postgresql://platform/feast")
    leave_platform()
    assert "FEAST_REGISTRY_URL" not in os.environ
    own = TransformSettings(home=home)

    assert (named.lake_uri, named.marts_path) == (str(platform / "lake"), platform / "souk.duckdb")
    assert (own.lake_uri, own.marts_path) == (str(home / "lake"), home / "marts" / "souk.duckdb")
