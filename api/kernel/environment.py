"""The base of every settings class: how a field gets its value from the environment, and what is said of a wrong one.

`warehouse/environment.py` and `api/kernel/environment.py` are one text in two places, because neither side may import
the other; a test compares them.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, AliasGenerator, Field, SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

ROOT = Path(__file__).resolve().parents[__name__.count(".")]


class InvalidSettings(Exception):
    """Variables of the environment that are missing or wrong: one line each, with what to do."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("\n".join(problems.values()))
        self.variables = tuple(problems)


@contextmanager
def exit_on_invalid_settings(*more: type[Exception]) -> Iterator[None]:
    """End the process with status 1 and the sentences of InvalidSettings, or of `more`, on stderr: no traceback."""
    wrong: tuple[type[Exception], ...] = (InvalidSettings, *more)
    try:
        yield
    except wrong as error:
        sys.exit(str(error))


def variables_of(name: str, field: FieldInfo) -> tuple[str, ...]:
    """The environment variables a field is read from, the preferred one first."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(choice) for choice in alias.choices)
    return (str(alias or _variable(name)),)


def under_home(*parts: str) -> Callable[[dict[str, Any]], Path]:  # Any: the fields validated so far
    """The default of a path: a place in the state directory."""

    def place(values: dict[str, Any]) -> Path:  # Any: as above
        home: Path = values["home"]
        return home.joinpath(*parts)

    return place


def _variable(name: str) -> str:
    return f"SOUK_{name.upper()}"


def _absolute(path: Path) -> Path:
    """The path whatever folder the process works in; the home of a user that does not exist stays as it is written."""
    expanded = os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser raises RuntimeError for an unknown user
    return Path(expanded) if expanded.startswith("~") else Path(expanded).absolute()


Home = Annotated[
    Path, AfterValidator(_absolute), Field(description="The state directory: everything this machine keeps lies in it.")
]
Profile = Annotated[
    Literal["demo", "production", "test"],
    Field(description="Chooses the training recipe; `test` makes up secret keys that are missing."),
]
MartsPath = Annotated[
    Path,
    Field(default_factory=under_home("marts", "souk.duckdb"), description="The published, read-only DuckDB marts."),
]
Failpoints = Annotated[
    str,
    Field(description="Where a test kills, fails or delays the process: `name[@count]=kill|error|sleep:SECONDS`."),
]
DATABASE = "The shop's Postgres: postgresql://user:password@host:port/name."
REDIS = "Redis: redis://user:password@host:port/0."
LOCAL_REDIS = SecretStr("redis://127.0.0.1:6379/0")


class Environment(BaseSettings):
    """Field `x` is the variable SOUK_X; a variable that other software knows too (DATABASE_URL) is the field's alias.

    Values are read when the object is made. A variable that is set to nothing counts as not set. Keywords may be names
    of fields or of variables. Raises InvalidSettings.
    """

    model_config = SettingsConfigDict(
        alias_generator=AliasGenerator(validation_alias=_variable),
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    home: Home = ROOT / ".souk"

    def __init__(self, **values: object) -> None:
        fields = type(self).model_fields
        named: dict[str, Any] = {  # Any: BaseSettings has keywords of its own
            variables_of(name, fields[name])[0] if name in fields else name: value for name, value in values.items()
        }
        try:
            super().__init__(**named)
        except ValidationError as error:
            raise InvalidSettings(_problems(fields, error)) from None
        except SettingsError as error:  # says which field, not what is wrong with it
            raise InvalidSettings(_unreadable(fields, str(error))) from None


def is_secret(field: FieldInfo) -> bool:
    """Whether the value, or a part of it, must never be shown."""
    return '"format": "password"' in json.dumps(TypeAdapter(field.annotation or str).json_schema())


def _problems(fields: Mapping[str, FieldInfo], error: ValidationError) -> dict[str, str]:
    """What is wrong by variable, in the order of the fields. Secrets are not repeated."""
    by_variable = {variable: field for name, field in fields.items() for variable in variables_of(name, field)}
    problems: dict[str, str] = {}
    for wrong in error.errors(include_url=False):
        message = wrong["msg"].removeprefix("Value error, ")
        if wrong["type"] == "default_factory_not_called":  # rests on another variable that is wrong
            continue
        if not wrong["loc"]:  # two variables that do not fit each other: the check names them
            problems[message.partition(":")[0]] = message
            continue
        variable, *inner = map(str, wrong["loc"])
        field = by_variable[variable]
        if wrong["type"] == "missing" and not inner:
            problems[variable] = f"{variable} is not set. Set it: {field.description}"
            continue
        where = ".".join((variable, *inner))
        value = "" if inner or is_secret(field) else f"={wrong['input']}"
        problems[variable] = f"{where}{value}: {message}. {_remedy(field)}"
    return problems


def _unreadable(fields: Mapping[str, FieldInfo], message: str) -> dict[str, str]:
    """The variable whose text is no JSON."""
    name = next(name for name in fields if f'"{name}"' in message)
    variable = variables_of(name, fields[name])[0]
    return {variable: f"{variable} is not JSON. {_remedy(fields[name])}"}


def _remedy(field: FieldInfo) -> str:
    how = "Correct it" if field.is_required() else "Correct it, or unset it to get the default"
    return f"{how}: {field.description}"
