"""The lake's table of vectors: what it costs to bring it up to date follows what has changed."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

from serving.semantic import embed as embedding
from serving.semantic.embed import Embedded, compared, embed, product_texts
from serving.semantic.encoder import Encoder
from serving.semantic.vectors import VectorsReader, read_vectors
from tests.harness.encoders import SIZE, write_encoder

TEXTS = {"a": "oak lamp", "b": "red nail polish", "c": "chair", "d": "lamp of the oak"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoder"))


def _did(done: Embedded) -> tuple[int, int, int, int]:
    return done.products, done.encoded, done.dropped, done.rows


def test_only_texts_that_changed_are_encoded(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = str(tmp_path)
    assert _did(embed(TEXTS, lake, model)) == (4, 4, 0, 4)
    changed = {**TEXTS, "b": "red lamp", "e": "oak chair"}
    assert _did(embed(changed, lake, model)) == (5, 2, 0, 6)

    known = read_vectors(lake)

    assert sorted(known.product_ids) == list(changed)
    expected_ND = Encoder(model).encode([changed[product] for product in known.product_ids])
    assert known.vectors_PD.astype(np.float32) == pytest.approx(expected_ND, abs=1e-3)
    assert compared(changed, lake, model) == embedding.Compared(0, 0)
    # Nothing has changed: the model is not even loaded.
    monkeypatch.setattr("serving.semantic.encoder.Encoder", None)
    assert _did(embed(changed, lake, model)) == (5, 0, 0, 6)


def test_products_that_are_gone_are_dropped(tmp_path: Path, model: Path) -> None:
    lake = str(tmp_path)
    embed(TEXTS, lake, model)
    left = {product: text for product, text in TEXTS.items() if product != "c"}

    assert _did(embed(left, lake, model)) == (3, 0, 1, 3)
    assert sorted(read_vectors(lake).product_ids) == ["a", "b", "d"]


def test_rows_that_no_longer_count_are_bounded(tmp_path: Path, model: Path) -> None:
    lake = str(tmp_path)
    for turn in range(6):
        done = embed(dict.fromkeys(TEXTS, f"lamp {turn}"), lake, model)

        assert (done.encoded, done.rows) == (4, read_vectors(lake).rows)
        assert done.rows <= 2 * len(TEXTS)


def test_another_model_encodes_everything_again(tmp_path: Path, model: Path) -> None:
    lake, other = str(tmp_path / "lake"), write_encoder(tmp_path / "other", seed=8)
    embed(TEXTS, lake, model)
    assert compared(TEXTS, lake, other).missing == 4

    assert _did(embed(TEXTS, lake, other)) == (4, 4, 0, 8)
    assert compared(TEXTS, lake, other) == embedding.Compared(0, 0)


def test_a_run_that_was_killed_is_gone_on_with(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, encode = str(tmp_path), Encoder.encode
    monkeypatch.setattr(embedding, "AT_ONCE", 2)
    turns = iter([True, False])

    def once(encoder: Encoder, texts: list[str]) -> object:
        if not next(turns):
            raise KeyboardInterrupt
        return encode(encoder, texts)

    with monkeypatch.context() as killed:
        killed.setattr(Encoder, "encode", once)
        with pytest.raises(KeyboardInterrupt):
            embed(TEXTS, lake, model)
    assert compared(TEXTS, lake, model).missing == 2

    assert _did(embed(TEXTS, lake, model)) == (4, 2, 0, 4)


def test_a_reader_reads_again_when_the_table_has_changed(tmp_path: Path, model: Path) -> None:
    reader = VectorsReader(str(tmp_path))
    assert reader.read_if_changed() is None
    embed(TEXTS, str(tmp_path), model)

    vectors = reader.read_if_changed()

    assert vectors is not None
    assert vectors.vectors_PD.shape == (4, SIZE)
    places, found_CD = vectors.of_products(["nobody", "c", "a"])
    assert (places, found_CD.shape) == ([1, 2], (2, SIZE))
    assert reader.read_if_changed() is None


def test_texts_are_read_of_the_marts(tmp_path: Path) -> None:
    marts = tmp_path / "souk.duckdb"
    with duckdb.connect(str(marts)) as con:
        con.execute(
            "CREATE TABLE dim_product AS SELECT * FROM (VALUES"
            " ('p1', 'Oak lamp', 'Bolt', '/Home/Lamps', 'active'), ('p2', 'Chair', NULL, NULL, 'out_of_stock'),"
            " ('p3', 'Gone', NULL, NULL, 'deleted'))"
            " AS t(product_id, title, brand, category_path, status)"
        )

    assert product_texts(marts) == {"p1": "Bolt Oak lamp, Lamps", "p2": "Chair"}
