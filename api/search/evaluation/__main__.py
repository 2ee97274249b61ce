"""`python -m api.search.evaluation --data PATH`: how good search is on judged queries; one JSON document on stdout."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

app = typer.Typer(add_completion=False)


@app.command()
def main(
    data: Annotated[
        Path,
        typer.Option(
            help="Folder with products.csv, queries.csv and judgements.csv, each .csv.gz too: see docs/search.md."
        ),
    ],
    samples: Annotated[int, typer.Option(min=1, help="Probes of each kind, at most.")] = 500,
    queries: Annotated[int, typer.Option(min=1, help="Judged queries, at most: drawn from all.")] = 1_000_000,
    semantic: Annotated[
        bool, typer.Option("--semantic", help="Measure the semantic stage too, with the encoder that serves.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of what is drawn: the same seed repeats a run exactly.")] = 1,
) -> None:
    """Measure search on a folder of products, queries and judgements. Progress goes to stderr.

    The same queries go to plain BM25 (bare Tantivy) in the same run. Exit status 0 when it was measured, 1 when the
    folder is damaged, with the file, line and column.
    """
    # The engine is loaded once the options are read.
    from api.search.evaluation.reading import BadSet
    from api.search.evaluation.run import evaluate

    try:
        document = evaluate(data, _say, seed=seed, samples=samples, queries=queries, semantic=semantic)
    except BadSet as problem:
        _say(str(problem))
        raise typer.Exit(1) from None
    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


def _say(what: str) -> None:
    typer.echo(what, err=True)


if __name__ == "__main__":
    app(prog_name="python -m api.search.evaluation")
