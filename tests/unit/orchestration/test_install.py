"""pip's configuration in uv's words, as `make install` translates it."""

import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def install() -> ModuleType:
    spec = importlib.util.spec_from_file_location("souk_install", ROOT / ".ci" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _configured(install: ModuleType, monkeypatch: pytest.MonkeyPatch, listed: str) -> list[str]:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, listed, ""))
    options = install.uv_options(install.pip_configuration())
    assert isinstance(options, list)
    return options


def test_an_ordinary_machine_adds_nothing(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _configured(install, monkeypatch, "") == []
    assert _configured(install, monkeypatch, "global.timeout='60'\n") == []


def test_several_folders_and_indexes_are_all_passed_on(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "global.extra-index-url='https://a/simple https://b/simple'\nglobal.find-links='/one\\n/two'\nglobal.index-url='https://c/simple'\n"
    assert _configured(install, monkeypatch, listed) == [
        *("--find-links", "/one", "--find-links", "/two", "--default-index", "https://c/simple"),
        *("--index", "https://a/simple", "--index", "https://b/simple", "--index-strategy", "unsafe-best-match"),
    ]


def test_the_environment_wins_over_the_files(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "global.find-links='/file'\n:env:.find-links='/environment'\n"
    assert _configured(install, monkeypatch, listed) == ["--find-links", "/environment"]


def test_no_index_certificates_and_trusted_hosts_are_passed_on(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = "global.no-index='true'\nglobal.cert='/c.pem'\n:env:.trusted-host='a b'\n"
    assert _configured(install, monkeypatch, listed) == [
        "--allow-insecure-host",
        "a",
        "--allow-insecure-host",
        "b",
        "--no-index",
    ]
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    assert install.uv_environment(install.pip_configuration())["SSL_CERT_FILE"] == "/c.pem"
    monkeypatch.setenv("SSL_CERT_FILE", "/mine.pem")
    assert install.uv_environment(install.pip_configuration())["SSL_CERT_FILE"] == "/mine.pem"


def test_a_failed_installation_says_where_it_looked_and_how_to_name_another_place(install: ModuleType) -> None:
    assert "looked for in: https://pypi.org, because pip's configuration names no other place" in install.places({})
    assert "looked for in: find-links /a /b." in install.places({"find-links": ["/a", "/b"], "cert": ["/c"]})
    with pytest.raises(SystemExit, match=r"installation failed at: false .*(\n.*)+PIP_FIND_LINKS=folder"):
        install.run("false", configured={})


def test_a_venv_without_a_working_pip_is_named(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = subprocess.CompletedProcess([], 1, "", "No module named pip\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: broken)
    with pytest.raises(SystemExit, match=r"pip does not work in .*: No module named pip"):
        install.pip_configuration()


@pytest.mark.parametrize("found", ["Python 3.12.1", "not there"])
def test_make_with_another_python_or_none_names_what_it_found(tmp_path: Path, found: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    python = tmp_path / "python3.12"
    if found != "not there":
        python.write_text(f'#!/bin/sh\n[ "$1" = -V ] && echo {found} && exit 0\nexit 1\n', encoding="ascii")
        python.chmod(0o755)

    done = subprocess.run(
        ["make", "install", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert f"Souk needs Python 3.11; `{python}` is {found}." in done.stdout
    assert "make install PYTHON=/path/to/python3.11" in done.stdout
    assert not (tmp_path / ".venv").exists()


def test_every_dependency_is_locked_and_pinned() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    locked = set((ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines())
    for requirement in wanted:
        name, version = requirement.split("==")
        assert f"{name.split('[')[0]}=={version}" in locked, requirement
