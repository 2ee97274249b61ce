"""The recommender over HTTP, in its own process, on the six-product world of tests/harness/bundles.py and a real
Redis."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from features.columns import columns_hash
from tests.harness.bundles import PRODUCTS, point_at, write_bundle, write_features
from tests.harness.recommender import ServingProcess, products, reasons, running_serving


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    write_features(folder)
    point_at(folder / "models", write_bundle(folder / "models" / "v1", columns_hash=columns_hash()))
    return folder


@pytest.fixture(scope="module")
def serving(home: Path, redis_url: str) -> Iterator[ServingProcess]:
    with running_serving(home, redis_url) as process:
        yield process


def test_a_known_shopper_gets_what_the_history_leads_to_and_never_what_was_bought(serving: ServingProcess) -> None:
    answer = serving.for_you("cara", limit=2)

    assert answer["source"] == "personal"
    assert answer["modelVersion"] == "v1"
    assert products(answer)[0] == "p4"
    assert reasons(answer)["p4"] == "Because you bought Blue cup"
    assert "p3" not in products(serving.for_you("cara", limit=100))


def test_a_shopper_only_the_bundle_knows_is_personal_too(serving: ServingProcess) -> None:
    answer = serving.for_you("ann", limit=3)

    # p2: .6 from p0 one order ago (x .5) and .5 from p1; p3 by words alone .2 from p1
    assert answer["source"] == "personal"
    assert products(answer)[:2] == ["p2", "p3"]
    assert reasons(answer)["p2"] == "Because you bought Black tea"


def test_one_click_changes_the_next_answer(serving: ServingProcess) -> None:
    before = serving.for_you("cara", limit=3)

    after = serving.for_you("cara", recent=["p0"], limit=3)

    assert products(before)[0] == "p4"
    assert products(after)[0] == "p1"
    assert reasons(after)["p1"] == "Because you looked at Green tea"
    assert "p0" not in products(after)


def test_an_unknown_shopper_with_clicks_is_answered_from_the_session(serving: ServingProcess) -> None:
    answer = serving.for_you("nobody", recent=["p4"], limit=1)

    assert (answer["source"], products(answer)) == ("session", ["p3"])


def test_an_unknown_shopper_without_clicks_gets_what_is_popular(serving: ServingProcess) -> None:
    for user in ("nobody", None):
        answer = serving.for_you(user, limit=3)

        assert (answer["source"], products(answer)) == ("popular", ["p0", "p1", "p2"])
        assert reasons(answer)["p0"] == "Popular in Tea"


def test_related_products_say_truthfully_whether_they_were_bought_together(serving: ServingProcess) -> None:
    answer = serving.related("p1", limit=3)

    assert answer["source"] == "item_to_item"
    assert reasons(answer) == {
        "p0": "Often bought with Black tea",
        "p2": "Often bought with Black tea",
        "p3": "Similar to Black tea",
    }


def test_related_fills_up_from_the_products_own_category_and_leaves_itself_out(serving: ServingProcess) -> None:
    answer = serving.related("p0", limit=10)

    assert products(answer) == ["p1", "p2"]
    assert products(serving.related("p5")) == ["p0", "p1", "p2", "p3", "p4"]


@pytest.mark.parametrize("limit", [1, 6, 7, 100_000])
def test_a_limit_above_the_catalog_gives_the_catalog(serving: ServingProcess, limit: int) -> None:
    assert len(products(serving.for_you(limit=limit))) == min(limit, 6)
    assert len(products(serving.for_you("cara", limit=limit))) == min(limit, 5)


@pytest.mark.parametrize("product", ["nobody-knows", "-1", "\u0000", "p" * 64])
def test_unknown_products_are_no_error(serving: ServingProcess, product: str) -> None:
    assert serving.related(product)["source"] == "popular"
    assert serving.for_you(recent=[product])["source"] == "popular"


@pytest.mark.parametrize(
    "body", [{"limit": 0}, {"limit": -1}, {"surprise": 1}, {"recent": "p0"}, {"recent": ["p0"] * 101}]
)
def test_malformed_requests_are_422(serving: ServingProcess, body: dict[str, object]) -> None:
    assert serving.client.post("/v1/for-you", json=body).status_code == 422


def test_out_of_stock_products_disappear_within_seconds_and_nothing_left_is_an_empty_answer(
    home: Path, serving: ServingProcess
) -> None:
    write_features(home, out_of_stock=("p4",))
    try:
        _until(lambda: "p4" not in products(serving.for_you("cara")))
        assert "p4" not in products(serving.related("p3"))

        write_features(home, out_of_stock=PRODUCTS)
        _until(lambda: serving.for_you("cara")["source"] == "empty")
        assert serving.for_you("cara")["items"] == []
        assert serving.related("p0") == {"items": [], "source": "empty", "modelVersion": "v1"}
    finally:
        write_features(home)
        _until(lambda: len(products(serving.for_you())) == 6)


@pytest.mark.parametrize("fault", ["hash", "nan", "truncated", "missing", "not json"])
def test_a_bad_bundle_is_refused_and_the_last_good_one_serves_on(
    home: Path, serving: ServingProcess, fault: str
) -> None:
    models = home / "models"
    bad = write_bundle(
        models / f"bad-{fault.replace(' ', '-')}",
        columns_hash="other" if fault == "hash" else columns_hash(),
        scores=float("nan") if fault == "nan" else 1.0,
    )
    if fault == "truncated":
        (bad / "related.npz").write_bytes((bad / "related.npz").read_bytes()[:100])
    if fault == "missing":
        (bad / "items.parquet").unlink()
    if fault == "not json":
        (bad / "bundle.json").write_text("{", encoding="utf-8")
    refused = serving.counter("serving_bundles_refused_total")
    point_at(models, bad)
    try:
        _until(lambda: serving.counter("serving_bundles_refused_total") > refused)

        assert serving.for_you("cara")["modelVersion"] == "v1"
        ready = serving.client.get("/health/ready")
        assert ready.status_code == 200
        assert bad.name in ready.json()["refused"]
        assert f"{bad.name}: " in serving.log.read_text()
    finally:
        point_at(models, models / "v1")
        _until(lambda: serving.client.get("/health/ready").json()["refused"] is None)


def test_a_rollback_is_the_pointer_back_and_takes_seconds(home: Path, serving: ServingProcess) -> None:
    models = home / "models"
    point_at(models, write_bundle(models / "v2", columns_hash=columns_hash()))
    forward = serving.wait_for_version("v2")

    point_at(models, models / "v1")
    back = serving.wait_for_version("v1")

    assert forward < 30
    assert back < 30


def test_reload_answers_what_it_did(home: Path, serving: ServingProcess) -> None:
    assert serving.client.post("/v1/reload").json() == {"loaded": True, "modelVersion": "v1", "reason": None}


def test_from_nothing_to_a_model_every_step_is_an_answer(tmp_path: Path, redis_url: str) -> None:
    with running_serving(tmp_path, redis_url) as process:
        assert process.for_you("cara") == {"items": [], "source": "empty", "modelVersion": "none"}
        assert process.related("p0") == {"items": [], "source": "empty", "modelVersion": "none"}

        write_features(tmp_path, product__orders_30d=[1, 2, 3, 4, 5, 6])
        _until(lambda: process.for_you()["source"] == "popular")
        assert process.client.get("/health/ready").status_code == 503
        answer = process.for_you(limit=2)
        assert (answer["source"], products(answer), answer["modelVersion"]) == ("popular", ["p5", "p4"], "none")
        assert process.related("p0", limit=1)["source"] == "popular_in_category"

        point_at(tmp_path / "models", write_bundle(tmp_path / "models" / "v1", columns_hash=columns_hash()))
        process.wait_for_version("v1")
        assert process.client.get("/health/ready").status_code == 200

        # a product newer than the model: what is clicked leads to its category
        write_features(tmp_path, products=(*PRODUCTS, "p-new"))
        _until(lambda: process.for_you(recent=["p-new"])["source"] == "popular_in_category")
        assert products(process.for_you(recent=["p-new"], limit=4)) == ["p0", "p1", "p2", "p3"]
        related = process.related("p-new", limit=2)
        assert (related["source"], products(related)) == ("popular_in_category", ["p0", "p1"])


def _until(condition: object, seconds: float = 20) -> None:
    import time

    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never became true"
        time.sleep(0.05)
