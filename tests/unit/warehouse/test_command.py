"""Programs made of functions: options, exit status, and what is said of a wrong variable."""

import sys
from collections.abc import Sequence
from typing import Annotated, get_args

import pytest
import typer

from warehouse.command import Json, program
from warehouse.environment import InvalidSettings


@program("python -m example")
def main(
    count: Annotated[int, typer.Option(help="How many.")] = 1, label: str | None = None, as_json: Json = False
) -> int:
    """What it does."""
    if label == "unset":
        raise InvalidSettings({"DATABASE_URL": "DATABASE_URL is not set. Set it: the shop's."})
    sys.stdout.write(f"{count} {label} {as_json}\n")
    return count


@pytest.mark.parametrize(
    ("arguments", "status", "stdout"),
    [
        (["--count", "0"], 0, "0 None False\n"),
        (["--count", "3", "--json", "--label", "x"], 3, "3 x True\n"),
        (["--count=7"], 7, "7 None False\n"),
    ],
)
def test_the_status_is_what_the_function_returns(
    arguments: Sequence[str], status: int, stdout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (main(arguments), capsys.readouterr().out) == (status, stdout)


@pytest.mark.parametrize("arguments", [["--colour"], ["--count", "many"], ["more"]])
def test_a_wrong_option_ends_with_2_and_says_which(
    arguments: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Usage: python -m example" in said.err
    assert arguments[0] in said.err


def test_a_wrong_variable_is_a_line_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--label", "unset"]) == 1
    assert capsys.readouterr().err == "DATABASE_URL is not set. Set it: the shop's.\n"


def test_help_is_the_docstring(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "What it does." in capsys.readouterr().out


def test_without_arguments_the_command_line_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["example", "--count", "2"])
    assert main() == 2
    assert capsys.readouterr().out == "2 None False\n"


def test_a_recipe_is_one_of_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    from training.recommender import evaluate
    from training.recommender.recipes import RECIPES, RecipeName

    assert set(get_args(RecipeName)) == set(RECIPES)
    assert evaluate.main(["--recipe", "huge"]) == 2
    assert "--recipe" in capsys.readouterr().err
