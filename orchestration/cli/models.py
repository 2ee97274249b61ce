"""evaluate and bench: stdout holds JSON only."""

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.console import problems_as_sentences, run_module
from orchestration.runtime.errors import RuntimeProblem

# The benchmarks in tests/benchmarks (a test compares the list); `souk demo --record` measures the demo.
NAMES = (
    *("bulk", "capacity", "cdc", "checkout", "dbt", "fresh", "idle", "ladder", "latency"),
    *("load", "mixed", "moderation", "reads", "recommenders", "relevance", "reviews", "search", "semantic", "spark"),
    "suggestions",
)


PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
evaluate = typer.Typer(invoke_without_command=True)


@evaluate.callback()
def recommenders(
    context: typer.Context,
    data: Annotated[
        Path | None, typer.Option(help="Folder of a real set; the lake of this machine when left out.")
    ] = None,
    recipe: Annotated[str, typer.Option(help="Named settings of the training: demo, full, steady or tiny.")] = "",
) -> None:
    """Measure the recommenders offline on the whole catalog and print one JSON document; progress goes to stderr.
    `souk evaluate search --data PATH` measures search.

    Without --data the lake must hold orders: `souk up`, `souk load ...` come first. Exit status 0 when it was measured.
    """
    if context.invoked_subcommand is not None:
        if data is not None or recipe:
            with problems_as_sentences():
                raise RuntimeProblem(
                    f"write options after `{context.invoked_subcommand}`: before it they are of recommenders"
                )
        return
    if data is not None and not data.exists():
        with problems_as_sentences():
            raise RuntimeProblem(f"no data at {data}: give the folder of a real set")
    given = (*(("--data", str(data.resolve())) if data else ()), *(("--recipe", recipe) if recipe else ()))
    raise typer.Exit(run_module("training.recommender.evaluate", "--json", *given).returncode)


@evaluate.command(context_settings=PASS_ON)
def search(
    context: typer.Context,
    data: Annotated[Path, typer.Option(help="Folder of products, queries and judgements, as docs/search.md has it.")],
) -> None:
    """Measure search on judged queries, on the same queries with errors, and on words of titles, against plain BM25.

    Prints one JSON document; progress goes to stderr. Needs nothing that runs. Further options go to the program as
    they are: --queries 500, --samples 200, --seed 2. Exit status 0 when it was measured, 1 for a damaged file, named
    with its line and column.
    """
    raise typer.Exit(run_module("api.search.evaluation", "--data", str(data.resolve()), *context.args).returncode)


def bench(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(NAMES)}.", metavar="name")],
) -> None:
    """Run one benchmark and print JSON lines {name, ours, limit, unit, ratio, ...}; the limit is measured in the same
    run.

    Further arguments go to the benchmark as they are. Exit status 0 when it was measured, whatever the figures are.
    """
    if name not in NAMES:
        with problems_as_sentences():
            raise RuntimeProblem(f"no benchmark is called {name}; there are: {', '.join(NAMES)}")
    raise typer.Exit(run_module(f"tests.benchmarks.{name}", *context.args).returncode)
