"""Every settings class has the common base and shows no secret; a variable has one default and one meaning."""

import json
import pickle
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from api.kernel import environment as shop_environment
from tests.harness.processes import ROOT
from tests.harness.settings_classes import CLASSES, default_of, render, settings
from warehouse import environment
from warehouse.environment import is_secret, variables_of
from warehouse.settings import WarehouseSettings

PASSWORD = "postgresql://me:pa55w0rd@host:5432/shop"
GATEWAYS = {"other": {"kind": "sandbox", "url": "http://127.0.0.1:1", "key": PASSWORD}}
CARRIERS = {"other": {"kind": "sandbox", "url": "http://127.0.0.1:1", "key": PASSWORD}}
PARTNERS = {"other": {"token": PASSWORD}}
MAIL = "smtp://me:pa55w0rd@host:587"
# Parts of names of settings that hold a password; URLs of databases contain one.
TELLING = (
    *("_key", "password", "token", "gateways", "carriers", "partners"),
    *("smtp_url", "search_url", "database_url", "database_read_url", "redis_url", "registry_url", "replication_url"),
)


def _files() -> list[Path]:
    packages = ("api", "features", "orchestration", "serving", "training", "transforms", "warehouse")
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def test_the_two_bases_are_the_only_ones() -> None:
    importing = {path for path in _files() if "pydantic_settings" in path.read_text(encoding="utf-8")}
    assert importing == {Path(environment.__file__), Path(shop_environment.__file__)}
    assert environment.ROOT == shop_environment.ROOT == ROOT


def test_no_settings_class_is_forgotten_here() -> None:
    def leaves(kind: type[BaseSettings]) -> set[type[BaseSettings]]:
        children = [child for child in kind.__subclasses__() if not child.__module__.startswith(("tests.", "test_"))]
        return set().union(*map(leaves, children)) if children else {kind}

    assert leaves(environment.Environment) | leaves(shop_environment.Environment) == set(CLASSES.values())
    declaring = [path for path in _files() if path.name == "settings.py"]
    assert {Path(str(ROOT / kind.__module__.replace(".", "/"))).with_suffix(".py") for kind in CLASSES.values()} == set(
        declaring
    )


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES.keys())
def test_no_password_is_shown(kind: type[BaseSettings], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, field in kind.model_fields.items():
        if name.endswith(TELLING):
            known = {"payment_gateways": json.dumps(GATEWAYS), "carriers": json.dumps(CARRIERS), "mail_smtp_url": MAIL}
            known["agent_partners"] = json.dumps(PARTNERS)
            given = known.get(name, PASSWORD)
            monkeypatch.setenv(variables_of(name, field)[0], given)
    found = kind()
    for name, field in kind.model_fields.items():
        value = getattr(found, name)
        if isinstance(value, SecretStr):
            assert value.get_secret_value() == (MAIL if name == "mail_smtp_url" else PASSWORD)
        assert is_secret(field) == name.endswith(TELLING), name
    if isinstance(found, WarehouseSettings):
        assert found.source_url == PASSWORD  # readable on request, and absent from dumps
    shown = (repr(found), str(found), repr(found.model_dump()), found.model_dump_json(), f"{vars(found)}")
    assert not [text for text in shown if "pa55w0rd" in text]
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 - bytes made in this test


def test_one_variable_has_one_default_and_one_meaning() -> None:
    for package, kind in CLASSES.items():
        for name, field in kind.model_fields.items():
            assert variables_of(name, field)[0].removeprefix("SOUK_") == name.upper(), package
    for setting in settings():
        defaults = {text for field in setting.fields if (text := default_of(field))}
        assert len(defaults) <= 1, setting.variables  # none: required, the embedded server, or a port of `souk up`
        (meaning,) = {field.description for field in setting.fields}
        assert meaning, setting.variables


def test_the_page_names_every_variable_and_shows_no_secret_default() -> None:
    page = render()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) == len(settings()) > 60
    assert "| `SOUK_HOME` | `./.souk` |" in page
    assert "| `SOUK_MARTS_PATH` | `$SOUK_HOME/marts/souk.duckdb` |" in page
    assert "| `SOUK_CDC_FLUSH_SECONDS` | `0.2` | s |" in page
    secret = [setting for setting in settings() if is_secret(setting.fields[0])]
    assert len([row for row in rows if "**Secret.**" in row]) == len(secret)
