"""pip's configuration in uv's words, as `make install` translates it."""

import importlib.util
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
    listed = (
        "global.extra-index-url='https://a/simple https://b/simple'\nglobal.find-links='/one\\n/two'\nglobal.index-url='https://c/simple'\n"
    )
    assert _configured(install, monkeypatch, listed) == [
        *("--find-links", "/one", "--find-links", "/two", "--default-index", "https://c/simple"),
        *("--index", "https://a/simple", "--index", "https://b/simple", "--index-strategy", "unsafe-best-match"),
    ]


def test_the_environment_wins_over_the_files(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "global.find-links='/file'\n:env:.find-links='/environment'\n"
    assert _configured(install, monkeypatch, listed) == ["--find-links", "/environment"]


def test_every_dependency_is_locked_and_pinned() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(name for extra in project["optional-dependencies"].values() for name in extra)]
    locked = set((ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines())
    for requirement in wanted:
        name, version = requirement.split("==")
        assert f"{name.split('[')[0]}=={version}" in locked, requirement
