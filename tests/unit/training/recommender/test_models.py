"""Each model on data small enough to check by eye."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from scipy import sparse

from tests.unit.training.orders import shop
from training.data.cases import Cases, ragged
from training.data.datasets import Events, catalog_from_frame
from training.recommender.losses import listwise_softmax, sampled_softmax
from training.recommender.models.content import fit_content
from training.recommender.models.item_to_item import ItemToItem, count, keep_best, mix
from training.recommender.models.popularity import fit_popularity
from training.recommender.models.retrieval import half_lives
from training.recommender.models.sequential import fit_sequential, padded
from training.recommender.recipes import ItemToItemRecipe, SequentialRecipe, recipe_from, tiny


def fit_item_to_item(events: Events, content: sparse.csr_matrix, items: int, recipe: ItemToItemRecipe) -> ItemToItem:
    """Count and mix."""
    return mix(count(events, content, items, recipe), recipe)


def _case(*items: int) -> Cases:
    history = np.array(items, dtype=np.int32)
    ages = np.arange(history.size, dtype=np.int32)[::-1].copy()
    return Cases(np.zeros(1, np.int32), ragged([history]), ragged([ages]), ragged([np.array([0], np.int32)]), 0.0)


def _sequence(*items: int) -> Events:
    size = len(items)
    return Events(
        np.zeros(size, np.int32),
        np.array(items, np.int32),
        np.arange(size, dtype=np.int32),
        np.arange(size, dtype=float),
        np.ones(size),
    )


def test_transitions_follow_the_order_of_purchase() -> None:
    nothing = sparse.csr_matrix((4, 4), dtype=np.float32)

    model = fit_item_to_item(_sequence(0, 1, 2), nothing, 4, ItemToItemRecipe(backward=0.0, window=1))

    assert model.table[0, 1] > 0
    assert model.table[1, 0] == 0
    assert model.table[0, 2] == 0


def test_one_basket_binds_both_ways_and_never_an_item_to_itself() -> None:
    events = Events(
        np.full(2, -1, np.int32), np.array([0, 1], np.int32), np.zeros(2, np.int32), np.zeros(2), np.ones(2)
    )

    model = fit_item_to_item(events, sparse.csr_matrix((3, 3), dtype=np.float32), 3, ItemToItemRecipe())

    assert model.table[0, 1] == model.table[1, 0] > 0
    assert model.table.diagonal().tolist() == [0, 0, 0]
    assert model.support[0, 1] > 0


def test_an_item_nobody_bought_is_found_by_its_words() -> None:
    data = shop()
    cold = data.catalog.index["p033"]
    events = data.events.where(data.events.item != cold)
    content = fit_content(data.catalog, 30)

    model = fit_item_to_item(events, content, len(data.catalog), ItemToItemRecipe())

    assert model.table[:, [cold]].nnz > 0
    assert model.support[:, [cold]].nnz == 0
    assert content[:, [data.catalog.index["postage"]]].nnz == 0


def test_words_of_any_alphabet_are_words() -> None:
    titles = ("кружка синяя", "кружка красная", "Käse Müller", "Müller Brot")
    frame = pl.DataFrame({"product_id": ["0", "1", "2", "3"], "title": titles})
    assert fit_content(catalog_from_frame(frame), 2).nonzero()[1].tolist() == [1, 0, 3, 2]


def test_the_newest_order_counts_most() -> None:
    table = sparse.csr_matrix(np.array([[0, 0, 1, 0], [0, 0, 0, 1], [0] * 4, [0] * 4], dtype=np.float32))
    scores = ItemToItem(table, 0.5, table).score(_case(0, 1))

    assert scores[0].tolist() == [0, 0, 0.5, 1.0]


def test_keep_best_keeps_the_largest_and_breaks_ties_by_index() -> None:
    table = sparse.csr_matrix(np.array([[1, 3, 3, 2], [0, 0, 0, 5]], dtype=np.float32))

    assert keep_best(table, 2).toarray().tolist() == [[0, 3, 3, 0], [0, 0, 0, 5]]


def test_popularity_forgets_with_its_half_life() -> None:
    events = _sequence(0, 0, 1)

    assert fit_popularity(events, 2, None).score_N.tolist() == [2, 1]
    assert fit_popularity(events, 2, 1.0).score_N.tolist() == pytest.approx([0.75, 1.0])


def test_a_negative_that_is_the_target_adds_nothing() -> None:
    hidden, items = torch.ones(1, 2), torch.eye(3, 2)
    target = torch.tensor([0])

    alone = sampled_softmax(hidden, target, torch.tensor([1]), items)

    assert sampled_softmax(hidden, target, torch.tensor([1, 0]), items) == alone


def test_listwise_softmax_ignores_absent_candidates() -> None:
    scores, relevant = torch.tensor([[0.0, 0.0, 50.0]]), torch.tensor([[1.0, 0.0, 0.0]])

    loss = listwise_softmax(scores, relevant, torch.tensor([[True, True, False]]))

    assert float(loss) == pytest.approx(np.log(2))


def test_padding_is_in_front_and_the_newest_items_stay() -> None:
    assert padded(ragged([np.array([1, 2, 3], np.int32), np.array([4], np.int32)]), 2, 9).tolist() == [[2, 3], [9, 4]]


def test_the_sequential_model_learns_a_cycle_repeats_itself_and_resumes(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    length = 240
    events = _sequence(*(np.arange(length) % 6))
    recipe = SequentialRecipe(
        width=16, length=10, dropout=0.0, negatives=16, batch_tokens=128, epochs=12, learning_rate=1e-2, svd_start=False
    )

    whole = fit_sequential(events, 6, recipe, 1)

    best = whole.score(_case(1, 2, 3)).argmax()
    assert best == 4
    assert fit_sequential(events, 6, recipe, 1).losses == whole.losses
    checkpoint = tmp_path / "part.pt"
    fit_sequential(events, 6, replace(recipe, epochs=5), 1, checkpoint=checkpoint)
    resumed = fit_sequential(events, 6, recipe, 1, checkpoint=checkpoint)
    assert resumed.losses == pytest.approx(whole.losses, rel=1e-5)


def test_the_checkpoint_of_another_fit_is_not_continued(tmp_path: Path) -> None:
    recipe = SequentialRecipe(width=8, length=10, epochs=2, negatives=4, svd_start=False)
    checkpoint = tmp_path / "part.pt"
    fit_sequential(_sequence(0, 1, 2, 3), 4, recipe, 1, checkpoint=checkpoint)

    grown = fit_sequential(_sequence(0, 1, 2, 3, 4), 5, recipe, 1, checkpoint=checkpoint)

    assert grown.losses == fit_sequential(_sequence(0, 1, 2, 3, 4), 5, recipe, 1).losses


def test_the_future_of_a_sequence_does_not_change_its_past() -> None:
    fitted = fit_sequential(
        _sequence(0, 1, 2, 3, 4, 5), 6, SequentialRecipe(width=8, length=10, epochs=1, negatives=4, svd_start=False), 1
    )

    with torch.inference_mode():
        first = fitted.model.hidden(torch.tensor([[0, 1, 2]]))[:, :2]
        other = fitted.model.hidden(torch.tensor([[0, 1, 5]]))[:, :2]

    assert torch.equal(first, other)


def test_a_recipe_survives_json() -> None:
    assert recipe_from(json.loads(json.dumps(asdict(tiny())))) == tiny()


def test_the_recipe_of_an_earlier_champion_is_read() -> None:
    """Training repeats the champion's method from the recipe in its bundle: names stay, new fields have a default."""
    written = json.loads((Path(__file__).parent / "recipe_of_format_1.json").read_text(encoding="utf-8"))

    recipe = recipe_from(written)

    assert recipe.sequential.epochs == written["sequential"]["epochs"]
    assert len(half_lives(recipe.popularity_half_lives)) == len(half_lives(tiny().popularity_half_lives))


def test_the_recipe_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError, match="renamed"):
        recipe_from({**asdict(tiny()), "renamed": 1})
