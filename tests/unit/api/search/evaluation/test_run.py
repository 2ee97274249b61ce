"""A small set, measured whole: figures that follow from the rules, and the same ones in a second run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api.search.evaluation.perturbations import KINDS
from api.search.evaluation.run import evaluate
from tests.harness.encoders import write_encoder

ROOT = Path(__file__).resolve().parents[5]
PRODUCTS = """\
id,title,description,category,brand,colour
stand,Laptop stand oak,,Office > Desks,Oakly,brown
lamp,Desk lamp,Put the lamp on a stand next to the laptop,Office > Lamps,Lumi,white
hose,"Garden hose, 20 m",,Garden,,green
shed,Garden shed,Keeps a hose,Garden,Hutte,green
gloves,Work gloves,,Garden,Hutte,black
"""
QUERIES = "query_id,query\n1,laptop stand\n2,garden hose\n3,umbrella\n"
# Nothing has the word of the third query: of both engines neither finds a product, and all places are expected alike.
JUDGEMENTS = "query_id,product_id,gain\n1,stand,1\n1,lamp,.1\n1,hose,0\n2,hose,1\n2,shed,.5\n3,hose,1\n3,gloves,0\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    for name, text in (("products", PRODUCTS), ("queries", QUERIES), ("judgements", JUDGEMENTS)):
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def measured(folder: Path, seed: int = 1) -> dict[str, Any]:  # Any: JSON
    return evaluate(folder, lambda _: None, seed=seed, samples=50, queries=50)


def test_the_semantic_stage_is_measured_next_to_the_words(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOUK_ENCODER", str(write_encoder(tmp_path / "encoder")))

    stages = evaluate(folder, lambda _: None, samples=5, queries=50, semantic=True)["stages"]

    # One or two products each: those with every word stay first, so the order is the words'.
    assert list(stages) == ["lexical", "semantic"]
    assert stages["semantic"]["whole"] == stages["lexical"]["whole"]


@pytest.fixture(scope="module")
def document(folder: Path) -> dict[str, Any]:  # Any: JSON
    return measured(folder)


def without_times(document: dict[str, Any]) -> str:  # Any: JSON
    """The document without what a clock says."""
    kept = json.loads(json.dumps(document))
    del kept["build"]
    for figures in (kept["plainBm25"], *kept["stages"].values()):
        del figures["cpuMs"]
        figures.get("ratio", {}).pop("cpu", None)
    return json.dumps(kept)


def test_figures_of_a_small_set_are_those_worked_out_by_hand(document: dict[str, Any]) -> None:  # Any: JSON
    assert {name: document[name] for name in ("products", "queries", "queriesWithoutGain", "judgements", "seed")} == {
        "products": 5,
        "queries": 3,
        "queriesWithoutGain": 0,
        "judgements": 7,
        "seed": 1,
    }
    # Two queries are ranked as they are judged, the third finds nothing.
    whole = {"ndcg@10": 0.6667, "mrr": 0.6667, "recall@10": 0.6667, "recall@100": 0.6667, "withoutResults": 0.3333}
    # Its two judged products are expected at .5 each: .5 + .5 / log2(3) = .8155.
    judged = {"ndcg@10": round((1 + 1 + 0.5 + 0.5 / 1.5849625) / 3, 4)}
    for figures in (document["plainBm25"], *document["stages"].values()):
        assert figures["whole"] == whole
        assert figures["judged"] == judged
        assert figures["cpuMs"] > 0
    lexical = document["stages"]["lexical"]
    assert (lexical["ratio"]["whole"], lexical["ratio"]["judged"]) == (1.0, 1.0)
    assert list(lexical["perturbations"]) == list(KINDS)
    assert lexical["perturbations"]["case"] == {"queries": 3, "ndcg@10": 0.6667, "loss": 0.0, "withoutResults": 0.3333}
    assert lexical["perturbations"]["accents"]["loss"] == 0.0
    assert document["plainBm25"]["perturbations"]["accents"]["loss"] == 1.0
    assert document["plainBm25"]["perturbations"]["joined"] == {
        "queries": 2,
        "ndcg@10": 0.0,
        "loss": 1.0,
        "withoutResults": 1.0,
    }
    assert lexical["probes"]["known titles"] == {"queries": 5, "found@5": 1.0, "mrr@10": 1.0, "withoutResults": 0.0}


def test_a_second_run_says_the_same_and_another_seed_draws_others(
    folder: Path,
    document: dict[str, Any],  # Any: JSON
) -> None:
    assert without_times(measured(folder)) == without_times(document)
    assert without_times(measured(folder, seed=2)) != without_times(document)


@pytest.mark.slow
def test_the_command_prints_json_alone_and_refuses_in_words(folder: Path, tmp_path: Path) -> None:
    def run(data: Path) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            "-m",
            "orchestration.cli",
            "evaluate",
            "search",
            "--data",
            str(data),
            "--samples",
            "5",
        ]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    done = run(folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["products"] == 5
    assert "lexical: probes: joined pairs" in done.stderr

    (tmp_path / "products.csv").write_text("id,title\n1,\n")
    for data, said in (
        (tmp_path, f"{tmp_path}/products.csv, line 2, column title: is empty\n"),
        (tmp_path / "none", f"{tmp_path}/none: there is no such folder\n"),
    ):
        refused = run(data)
        assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", said)
