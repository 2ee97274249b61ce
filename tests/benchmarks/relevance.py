"""`python -m tests.benchmarks.relevance [--data ROOT] [--keep FOLDER] [--only]`: how well search ranks on judged sets
that are made of real titles (`support/judged_titles.py`, `support/judged_things.py`), against plain BM25 in the same
run.

Prints `SET: NDCG@10`, `SET: NDCG@10, judged list`, `SET: kept, KIND` (what is left of NDCG@10 when queries are typed
otherwise), `SET: found, KIND` (probes) and `SET: CPU`. Without data it says so and exits 0.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from api.search.evaluation.run import SEED, evaluate
from tests.benchmarks.results import record
from tests.benchmarks.support import judged_things, judged_titles
from warehouse.command import program
from warehouse.logs import configure


@program("python -m tests.benchmarks.relevance")
def main(
    root: Annotated[Path, typer.Option("--data", help="Folder of real sets.")] = Path("../shared/data/recsys"),
    keep: Annotated[Path | None, typer.Option(help="Write the judged sets here, and keep them.")] = None,
    samples: Annotated[int, typer.Option(help="Probes of each kind, at most.")] = 500,
    only: Annotated[bool, typer.Option("--only-write", help="Measure nothing; needs --keep.")] = False,
) -> int:
    """Make the sets, measure and record."""
    configure("warning")
    if not root.is_dir():
        sys.stderr.write(f"{root}: not there, nothing to measure\n")
        return 0
    with TemporaryDirectory() as temporary:
        place = keep or Path(temporary)
        for folder in (*judged_titles.sets(root, place), *judged_things.sets(root, place)):
            sys.stderr.write(f"{folder}\n")
            if not only:
                _record(evaluate(folder, _say, seed=SEED, samples=samples, queries=judged_titles.QUERIES))
    return 0


def _say(what: str) -> None:
    sys.stderr.write(f"  {what}\n")


def _record(document: dict[str, Any]) -> None:  # Any: JSON
    plain = document["plainBm25"]
    for stage, ours in document["stages"].items():
        name = document["set"] if stage == "lexical" else f"{document['set']}, {stage}"
        note = f"{document['queries']} queries, {document['products']:,} products; MRR {ours['whole']['mrr']}"
        _line(f"{name}: NDCG@10", ours["whole"]["ndcg@10"], plain["whole"]["ndcg@10"], "NDCG@10", note=note)
        judged, other = (figures["judged"]["ndcg@10"] for figures in (ours, plain))
        _line(f"{name}: NDCG@10, judged list", judged, other, "NDCG@10", note=f"{document['judgements']:,} judgements")
        for kind, found in ours["perturbations"].items():
            if found.get("loss") is not None:
                kept = 1 - plain["perturbations"][kind]["loss"]
                note = f"{found['queries']} queries; nothing found for {found['withoutResults']:.1%}"
                _line(f"{name}: kept, {kind}", 1 - found["loss"], kept, "of NDCG@10", note=note)
        for kind, found in ours["probes"].items():
            if found["queries"]:
                note = f"{found['queries']} queries; nothing found for {found['withoutResults']:.1%}"
                other = plain["probes"][kind]["found@5"]
                _line(f"{name}: found, {kind}", found["found@5"], other, "in the first five", note=note)
        _line(f"{name}: CPU", ours["cpuMs"], plain["cpuMs"], "ms a query, with all counts", lower_is_better=True)


def _line(name: str, ours: float, limit: float, unit: str, *, lower_is_better: bool = False, note: str = "") -> None:
    record("relevance", name, ours=ours, limit=limit, unit=unit, lower_is_better=lower_is_better, note=note)


if __name__ == "__main__":
    raise SystemExit(main())
