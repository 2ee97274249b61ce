"""The one way to turn a function into a program: its parameters are the options, its result is the exit status.

The function imports the work, so that `--help` and a wrong option are answered at once.
"""

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Annotated, ParamSpec, Protocol

import typer

from warehouse.environment import InvalidSettings

Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document on stdout and nothing else.")]
Options = ParamSpec("Options")


class Program(Protocol):
    """Reads the command line unless arguments are passed; returns the exit status."""

    def __call__(self, arguments: Sequence[str] | None = None) -> int: ...


def program(name: str) -> Callable[[Callable[Options, int]], Program]:
    """Turn a function into `main(arguments)`. `name` is the name of the program; the function's docstring is its help.

    The program returns the function's status, 2 for a wrong option, 1 with a line on stderr for a wrong variable.
    """

    def declare(function: Callable[Options, int]) -> Program:
        @wraps(function)
        def command(*args: Options.args, **kwargs: Options.kwargs) -> None:
            try:
                status = function(*args, **kwargs)
            except InvalidSettings as error:
                sys.stderr.write(f"{error}\n")
                status = 1
            raise typer.Exit(status)

        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        app.command()(command)

        def main(arguments: Sequence[str] | None = None) -> int:
            try:
                app(args=None if arguments is None else list(arguments), prog_name=name)
            except SystemExit as ended:
                return int(ended.code or 0)
            return 0

        main.__doc__ = function.__doc__
        return main

    return declare
