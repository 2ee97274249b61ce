"""The model of toxic language over HTTP, in serving's own process."""

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.harness.recommender import ServingProcess, running_serving

KIND = "This kettle is great and I love it."
RUDE = "You are a fucking idiot, seller"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[ServingProcess]:
    # Long, so that a busy machine fails no test; loading takes longer all the same.
    with running_serving(tmp_path_factory.mktemp("home"), redis_url, SOUK_SERVING_TOXICITY_MS="1000") as process:
        yield process


def asked(serving: ServingProcess, texts: list[str]) -> httpx.Response:
    return serving.client.post("/v1/toxicity", json={"texts": texts})


def test_the_first_question_has_no_score_and_loads_the_model(serving: ServingProcess) -> None:
    first = asked(serving, [KIND])
    assert (first.status_code, first.json()) == (200, {"scores": None})

    until = time.monotonic() + 120
    while (scores := asked(serving, [KIND, RUDE]).json()["scores"]) is None:
        assert time.monotonic() < until
        time.sleep(0.5)

    kind, rude = scores
    assert kind < 0.5
    assert rude > 0.95
    assert asked(serving, [RUDE, KIND]).json()["scores"] == [rude, kind]


@pytest.mark.parametrize("texts", [[], ["x" * 12_001], ["x"] * 101], ids=["none", "too long", "too many"])
def test_what_is_no_question_is_refused(serving: ServingProcess, texts: list[str]) -> None:
    assert asked(serving, texts).status_code == 422
