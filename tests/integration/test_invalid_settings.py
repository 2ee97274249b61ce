"""A process whose settings are wrong says which variable and what to do, in one line, and ends with status 1."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.harness.processes import ROOT

NO_DATABASE = "DATABASE_URL is not set. Set it: The shop's Postgres"
NO_KEY = "SOUK_JWT_KEY_FILE is not set: create an Ed25519 key"
NO_POINT = "SOUK_FAILPOINTS: no point is called 'checkout.nowhere'; points are "
SHOP = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "SOUK_PROFILE": "test"}
PRODUCTION = {**SHOP, "SOUK_PROFILE": "production"}
TYPO = {**SHOP, "SOUK_FAILPOINTS": "checkout.nowhere=kill", "SOUK_API_WORKERS": "1"}


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("SOUK_") or name.endswith("_URL"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SOUK_HOME", str(tmp_path))


@pytest.mark.parametrize(
    ("program", "variables", "sentence"),
    [
        ("api.__main__:main", {}, NO_DATABASE),
        ("api.__main__:main", PRODUCTION, NO_KEY),
        ("api.__main__:main", TYPO, NO_POINT),
        ("api.worker:run", {}, NO_DATABASE),
        ("api.worker:run", PRODUCTION, NO_KEY),
        ("api.worker:run", TYPO, NO_POINT),
        ("api.sandbox.__main__:main", {}, "SOUK_SANDBOX_KEY is not set. Set it: Shared by"),
        ("serving.__main__:main", {"SOUK_SERVING_RANK_MS": "-1"}, "SOUK_SERVING_RANK_MS=-1: Input should be greater"),
        ("orchestration.runtime.__main__:main", {"SOUK_PROFILE": "tset"}, "SOUK_PROFILE=tset: Input should be 'demo',"),
    ],
)
def test_a_program_ends_with_the_variable_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, program: str, variables: dict[str, str], sentence: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    module, _, function = program.partition(":")

    with pytest.raises(SystemExit) as ended:
        getattr(import_module(module), function)()

    # Python prints a text on stderr and ends with status 1.
    assert isinstance(ended.value.code, str)
    assert ended.value.code.startswith(sentence)
    assert "\n" not in ended.value.code


def test_a_process_prints_the_sentence_and_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "api.sandbox"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.stderr.startswith("SOUK_SANDBOX_KEY is not set. Set it: Shared by")
    assert (len(done.stderr.splitlines()), done.stdout, done.returncode) == (1, "", 1)
