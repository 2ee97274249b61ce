"""`python -m training.recommender.evaluate [--data PATH] [--json]`: every protocol of a set's form, or of the lake."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from training.recommender.recipes import RECIPES, RecipeName
from training.settings import TrainingSettings
from warehouse.command import Json, program
from warehouse.logs import configure


@program("python -m training.recommender.evaluate")
def main(
    data_path: Annotated[
        Path | None, typer.Option("--data", help="A directory in one of the real-set forms; default: the current lake.")
    ] = None,
    as_json: Json = False,
    recipe: Annotated[RecipeName, typer.Option(help="Named settings of the training.")] = "demo",
) -> int:
    """Evaluate a real set or the current lake. With --json stdout holds one JSON document and nothing else; progress
    goes to stderr."""
    # torch and polars are loaded once the options are read.
    from training.data.datasets import BadTrainingData
    from training.data.readers import read_inputs
    from training.data.real_sets import read_set
    from training.recommender.evaluation import evaluate, headline, table

    configure("info")
    try:
        data = read_set(data_path) if data_path else read_inputs(TrainingSettings())
        rows = evaluate(data, RECIPES[recipe]())
    except BadTrainingData as error:
        sys.stderr.write(f"{error}\n")
        return 1
    document = {
        "set": data.name,
        "form": data.form,
        "events": len(data.events),
        "items": len(data.catalog),
        "users": len(data.user_ids),
        "dropped": data.dropped,
        "watermarkLsn": data.watermark_lsn,
        "dataHash": data.data_hash(),
        "recipe": recipe,
        "evaluatedAt": datetime.now(UTC).isoformat(),
        "headline": headline(rows),
        "rows": rows,
    }
    sys.stdout.write(json.dumps(document, indent=1) + "\n" if as_json else table(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
