"""The base of the settings: names, empty values, places, and what is said of a wrong value."""

import getpass
from pathlib import Path

import pytest
from pydantic import AliasChoices, Field, SecretStr

from warehouse.environment import ROOT, Environment, InvalidSettings, MartsPath


class _Example(Environment):
    marts_path: MartsPath
    pace_seconds: float = Field(default=0.5, gt=0)
    """Pause between two rounds."""
    database_url: SecretStr = Field(validation_alias="DATABASE_URL")
    """Where the rows are."""
    token: SecretStr = Field(default=SecretStr("made-up-token"), min_length=8)
    """Shared with the other side."""
    limit: int = Field(default=3, validation_alias=AliasChoices("SOUK_LIMIT", "LIMIT"))
    """Rounds at most."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:s3cret@db/shop")


def test_a_field_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOUK_HOME", str(tmp_path))
    monkeypatch.setenv("SOUK_PACE_SECONDS", "2")
    monkeypatch.setenv("LIMIT", "9")
    monkeypatch.setenv("HOME", "/elsewhere")
    monkeypatch.setenv("PACE_SECONDS", "7")
    monkeypatch.setenv("SOUK_DATABASE_URL", "postgresql://somebody/else")
    found = _Example()
    assert (found.home, found.pace_seconds, found.limit) == (tmp_path, 2.0, 9)
    assert found.database_url.get_secret_value() == "postgresql://me:s3cret@db/shop"
    monkeypatch.setenv("SOUK_LIMIT", "8")
    assert _Example().limit == 8


def test_a_variable_set_to_nothing_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SOUK_HOME", "SOUK_PACE_SECONDS", "SOUK_MARTS_PATH", "SOUK_TOKEN"):
        monkeypatch.setenv(name, "")
    found = _Example()
    assert (found.home, found.pace_seconds) == (ROOT / ".souk", 0.5)
    assert found.marts_path == ROOT / ".souk" / "marts" / "souk.duckdb"
    monkeypatch.setenv("DATABASE_URL", "")
    with pytest.raises(InvalidSettings, match="DATABASE_URL is not set"):
        _Example()


def test_keywords_name_fields_or_variables_and_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUK_PACE_SECONDS", "2")
    by_field = _Example(pace_seconds=3, home=Path("/a"))
    assert by_field == _Example.model_validate({"SOUK_PACE_SECONDS": 3, "SOUK_HOME": "/a"})
    assert (by_field.pace_seconds, by_field.marts_path) == (3.0, Path("/a/marts/souk.duckdb"))
    with pytest.raises(ValueError, match="frozen"):
        setattr(by_field, "pace_seconds", 4)  # noqa: B010 - mypy knows as well


def test_home_is_one_place_whatever_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert _Example(home="state").home == tmp_path / "state"
    assert _Example(home="~/state").home == Path.home() / "state"
    assert _Example(home=f"~{getpass.getuser()}/state").home.is_absolute()
    assert _Example(home="~nobody-of-this-name/x").home == Path("~nobody-of-this-name/x")


def test_what_is_wrong_is_said_with_the_variable_and_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUK_PACE_SECONDS", "-1")
    monkeypatch.setenv("SOUK_TOKEN", "s3cret")
    monkeypatch.delenv("DATABASE_URL")
    with pytest.raises(InvalidSettings) as caught:
        _Example()
    assert caught.value.variables == ("SOUK_PACE_SECONDS", "DATABASE_URL", "SOUK_TOKEN")
    pace, url, token = str(caught.value).splitlines()
    assert pace == (
        "SOUK_PACE_SECONDS=-1: Input should be greater than 0. Correct it, or unset it to get the default:"
        " Pause between two rounds."
    )
    assert url == "DATABASE_URL is not set. Set it: Where the rows are."
    assert token.startswith("SOUK_TOKEN: Value should have at least 8 items")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_wrong_home_is_the_one_problem_named() -> None:
    with pytest.raises(InvalidSettings) as caught:
        _Example(home=3)
    assert caught.value.variables == ("SOUK_HOME",)
