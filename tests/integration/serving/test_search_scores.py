"""Scores of search results over HTTP: a serving process with a small encoder, vectors in a lake, and the six-product
world of tests/harness/bundles.py."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from features.columns import columns_hash
from serving.semantic.embed import embed
from serving.semantic.encoder import Encoder
from tests.harness.bundles import PRODUCTS, point_at, write_bundle, write_features
from tests.harness.encoders import write_encoder
from tests.harness.recommender import ServingProcess, running_serving

TEXTS = {"p0": "oak lamp", "p1": "red nail polish", "p2": "chair of the oak"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    write_features(folder)
    point_at(folder / "models", write_bundle(folder / "models" / "v1", columns_hash=columns_hash()))
    embed(TEXTS, str(folder / "lake"), write_encoder(folder / "encoder"))
    return folder


@pytest.fixture(scope="module")
def serving(home: Path, redis_url: str) -> Iterator[ServingProcess]:
    with running_serving(
        home,
        redis_url,
        SOUK_SEARCH_SEMANTIC="true",
        SOUK_ENCODER=str(home / "encoder"),
        SOUK_SERVING_SEARCH_MS="1000",
    ) as process:
        _until(process, "p0")
        yield process


def _scores(process: ServingProcess, **body: Any) -> dict[str, Any]:
    answer = process.client.post("/v1/search-scores", json=body)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def _until(process: ServingProcess, product: str, text: str = "lamp", seconds: float = 60) -> None:
    """Wait until a product's vector is there."""
    deadline = time.monotonic() + seconds
    while not (found := _scores(process, text=text, productIds=[product])["similarity"]) or found == [None]:
        assert time.monotonic() < deadline, process.log.read_text()
        time.sleep(0.05)


def test_similarity_is_the_cosine_of_text_and_product(serving: ServingProcess, home: Path) -> None:
    query_D, *products_ND = Encoder(home / "encoder").encode(["red lamp", *TEXTS.values()])

    scores = _scores(serving, text="red lamp", productIds=["nobody", *TEXTS])

    assert scores["similarity"] == [
        None, *(pytest.approx(float(query_D @ product_D), abs=2e-3) for product_D in products_ND)
    ]  # fmt: skip
    assert scores["affinity"] is None


def test_a_product_that_was_encoded_a_moment_ago_is_known(serving: ServingProcess, home: Path) -> None:
    assert _scores(serving, text="lamp", productIds=["p5"])["similarity"] == [None]

    embed({**TEXTS, "p5": "lamp"}, str(home / "lake"), home / "encoder")

    _until(serving, "p5")
    assert _scores(serving, text="lamp", productIds=["p5"])["similarity"] == [pytest.approx(1.0, abs=2e-3)]


@pytest.mark.parametrize("text", ["", "   "])
def test_a_blank_text_is_near_nothing(serving: ServingProcess, text: str) -> None:
    assert _scores(serving, text=text, productIds=["p0"])["similarity"] is None


def test_affinity_is_of_categories_and_of_what_is_bought_together(serving: ServingProcess) -> None:
    affinity = _scores(serving, productIds=[*PRODUCTS, "nobody"], userId="cara")["affinity"]

    # Cara bought p3, a cup: p4 is one too, and what the bundle has as its nearest neighbour.
    assert affinity[PRODUCTS.index("p4")] == max(affinity)
    assert affinity[-1] == 0.0
    assert all(0 <= share <= 1 for share in affinity)


def test_what_was_just_looked_at_counts_more_than_what_was_bought(serving: ServingProcess) -> None:
    before = _scores(serving, productIds=list(PRODUCTS), userId="cara")["affinity"]
    after = _scores(serving, productIds=list(PRODUCTS), userId="cara", recent=["p0"])["affinity"]

    assert after[1] > before[1]
    assert _scores(serving, productIds=list(PRODUCTS), recent=["p0"])["affinity"][1] > after[1]


def test_of_an_unknown_shopper_nothing_is_said(serving: ServingProcess) -> None:
    for shopper in ({"userId": "nobody"}, {}, {"recent": ["nothing"]}):
        assert _scores(serving, productIds=["p0"], **shopper) == {"similarity": None, "affinity": None}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"productIds": ["p0"] * 101},
        {"productIds": [""]},
        {"productIds": ["p0"], "text": "x" * 1_001},
        {"surprise": 1},
    ],
)
def test_malformed_requests_are_422(serving: ServingProcess, body: dict[str, Any]) -> None:
    assert serving.client.post("/v1/search-scores", json=body).status_code == 422


@pytest.mark.slow
def test_a_text_that_is_encoded_too_late_is_there_the_next_time(home: Path, redis_url: str) -> None:
    with running_serving(
        home,
        redis_url,
        SOUK_SEARCH_SEMANTIC="true",
        SOUK_ENCODER=str(home / "encoder"),
        SOUK_SERVING_SEARCH_MS="0.001",
    ) as process:
        late = _scores(process, text="oak", productIds=["p0"])["similarity"]
        _until(process, "p0", "oak")

        assert late is None
        assert process.counter("serving_degraded_total", part="semantic", cause="late") >= 1


def test_without_its_switch_nothing_is_loaded(home: Path, redis_url: str) -> None:
    with running_serving(home, redis_url) as process:
        time.sleep(0.5)

        assert _scores(process, text="lamp", productIds=["p0"])["similarity"] is None
        assert process.counter("serving_vectors") == 0.0


def test_a_broken_model_leaves_the_recommender_as_it_is(home: Path, redis_url: str, tmp_path: Path) -> None:
    with running_serving(
        home, redis_url, SOUK_SEARCH_SEMANTIC="true", SOUK_ENCODER=str(tmp_path / "nothing")
    ) as process:
        assert _scores(process, text="lamp", productIds=["p0"])["similarity"] is None
        assert process.for_you("cara")["source"] == "personal"
        assert httpx.get(f"{process.url}/health/ready").status_code == 200
