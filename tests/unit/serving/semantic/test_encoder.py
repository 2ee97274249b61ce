"""The encoder: texts in, vectors out, on a small model of random numbers; the real one's figures are a slow test."""

from pathlib import Path

import numpy as np
import pytest

from serving.semantic.__main__ import similarities
from serving.semantic.encoder import MAX_PIECES, Encoder
from serving.semantic.model import packaged_model, text_of, version_of
from tests.harness.encoders import SIZE, write_encoder

TEXTS = ["oak lamp", "red nail polish of the oak", "lamp", "chairs", "", "手机 ☂"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(write_encoder(tmp_path_factory.mktemp("encoder")))


def test_vectors_have_length_one(encoder: Encoder) -> None:
    vectors_ND = encoder.encode(TEXTS)

    assert vectors_ND.shape == (len(TEXTS), SIZE)
    assert vectors_ND.dtype == np.float32
    assert np.linalg.norm(vectors_ND, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_a_text_has_the_same_vector_alone_and_among_longer_ones(encoder: Encoder) -> None:
    together_ND = encoder.encode(TEXTS)

    for text, vector_D in zip(TEXTS, together_ND, strict=True):
        assert encoder.encode([text])[0] == pytest.approx(vector_D, abs=1e-5)


def test_the_order_of_words_and_the_words_count(encoder: Encoder) -> None:
    one, other, same, third = encoder.encode(["oak lamp", "lamp oak", "OAK  Lamp", "red lamp"])

    assert same == pytest.approx(one, abs=1e-6)
    assert abs(one - other).max() > 0.01
    assert abs(one - third).max() > 0.01


def test_what_is_beyond_the_longest_text_is_not_read(encoder: Encoder) -> None:
    long, longer = encoder.encode(["oak " * MAX_PIECES, "oak " * MAX_PIECES + "lamp"])

    assert longer == pytest.approx(long, abs=1e-6)


def test_a_version_is_of_the_weights(encoder: Encoder, tmp_path: Path) -> None:
    assert version_of(write_encoder(tmp_path / "same")) == encoder.version
    assert version_of(write_encoder(tmp_path / "other", seed=8)) != encoder.version


@pytest.mark.parametrize(
    ("title", "brand", "category", "text"),
    [
        ("Laptop stand", "", "", "Laptop stand"),
        ("Laptop stand", "Bolt", "/Computers/Accessories", "Bolt Laptop stand, Accessories"),
        ("BOLT laptop stand", "Bolt", "/Computers/Laptop Stand", "BOLT laptop stand"),
    ],
)
def test_brand_and_kind_are_added_to_a_title_that_lacks_them(title: str, brand: str, category: str, text: str) -> None:
    assert text_of(title, brand, category) == text


def test_lines_of_queries_and_titles_are_scored_in_order(encoder: Encoder) -> None:
    lines = ['{"query": "lamp", "titles": [["lamp", "oak", ""], "lamp"]}', '{"query": "oak lamp", "titles": []}']
    query_D, title_D = encoder.encode(["lamp", "oak lamp"])

    assert list(similarities(encoder, lines)) == [pytest.approx([float(query_D @ title_D), 1.0], abs=1e-5), []]


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"query": "lamp"}', '{"query": "lamp", "titles": 7}'])
def test_a_line_of_another_form_is_named(encoder: Encoder, line: str) -> None:
    with pytest.raises(ValueError, match="line 2: "):
        list(similarities(encoder, ['{"query": "lamp", "titles": []}', line]))


@pytest.mark.slow
def test_the_packaged_model_gives_the_figures_of_its_authors_libraries() -> None:
    """Cosines that transformers 5.24 computes with the same weights; its vectors and ours differ by 2e-7."""
    texts = ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"]
    vectors_ND = Encoder(packaged_model()).encode(texts)

    assert vectors_ND @ vectors_ND[0] == pytest.approx([1.0, 0.694577, 0.942915, 0.256876], abs=1e-4)


@pytest.mark.slow
def test_the_packaged_model_knows_kinds_without_common_words() -> None:
    encoder = Encoder(packaged_model())
    titles_ND = encoder.encode(["OPI Red Shatter Crackle Nail Lacquer", "Oak three-seat couch", "USB-C charging cable"])

    nearest = [int((titles_ND @ query_D).argmax()) for query_D in encoder.encode(["manicure color", "sofa", "charger"])]

    assert nearest == [0, 1, 2]
