"""One request against models that are slow, broken or of mixed opinions; the models are small arrays."""

import time

import numpy as np
import torch

from serving.bundle.models import Ranker, Sequential
from serving.bundle.read import SCORE_INPUTS, Bundle
from serving.guard import Guard
from serving.recommender.recommend import Guards, for_you
from serving.recommender.schemas import ForYouRequest
from serving.recommender.shoppers import Shoppers
from serving.settings import ServingSettings
from tests.harness.bundles import make_assortment, make_bundle


class Fixed(torch.nn.Module):
    """Gives the same logits to everybody, after `seconds`."""

    def __init__(self, seconds: float = 0.0, *, broken: bool = False) -> None:
        super().__init__()
        self.seconds, self.broken, self.calls = seconds, broken, 0

    def forward(self, items_BL: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        time.sleep(self.seconds)
        if self.broken:
            raise RuntimeError("weights are gone")
        return torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, 9.0]])


def ranker(weight: float, column: str = "sequential") -> Ranker:
    """Scores by one input alone."""
    inputs = (*SCORE_INPUTS, "product__orders_30d")
    skip = np.zeros(len(inputs), dtype=np.float32)
    skip[inputs.index(column)] = weight
    width = len(inputs)
    zeros, ones = np.zeros(width, np.float32), np.ones(width, np.float32)
    return Ranker(
        inputs,
        len(SCORE_INPUTS),
        zeros,
        ones,
        np.zeros((width, 1), np.float32),
        np.zeros(1, np.float32),
        np.zeros(1, np.float32),
        skip,
    )


async def ask(bundle: Bundle, *, seconds: float = 0.05, times: int = 1) -> tuple[list[str], float]:
    """(products of the last answer to a shopper who just saw p3, seconds of the slowest)."""
    settings = ServingSettings(serving_category_share=1.0)
    guards = Guards(Guard("sequential", seconds), Guard("rank", seconds))
    shoppers = Shoppers(settings)
    slowest = 0.0
    try:
        for _ in range(times):
            started = time.perf_counter()
            answer = await for_you(
                ForYouRequest(recent=["p3"], limit=5), make_assortment(bundle), shoppers, guards, settings
            )
            slowest = max(slowest, time.perf_counter() - started)
    finally:
        guards.close()
        await shoppers.close()
    return [item.product_id for item in answer.items], slowest


async def test_the_rankers_order_is_the_answers_order() -> None:
    bundle = make_bundle(sequential=Sequential(Fixed(), 5, 6), ranker=ranker(1.0))

    products, _ = await ask(bundle, seconds=5)

    assert products[0] == "p5"


async def test_a_ranker_reads_the_products_current_features() -> None:
    most_ordered_first, _ = await ask(make_bundle(ranker=ranker(1.0, "product__orders_30d")), seconds=5)
    least_ordered_first, _ = await ask(make_bundle(ranker=ranker(-1.0, "product__orders_30d")), seconds=5)

    assert most_ordered_first == ["p0", "p1", "p2", "p4", "p5"]
    assert least_ordered_first == most_ordered_first[::-1]


async def test_a_broken_sequence_model_leaves_the_neighbours() -> None:
    bundle = make_bundle(sequential=Sequential(Fixed(broken=True), 5, 6), ranker=ranker(1.0, "item_to_item"))

    products, _ = await ask(bundle, seconds=5)

    assert products[0] == "p4"


async def test_a_model_ten_times_too_slow_costs_its_deadline_and_then_nothing() -> None:
    slow = Fixed(seconds=0.5)
    bundle = make_bundle(sequential=Sequential(slow, 5, 6), ranker=ranker(1.0, "item_to_item"))

    products, slowest = await ask(bundle, times=20)

    assert products[0] == "p4"
    assert slowest < 0.4
    assert slow.calls <= 3  # it rests after three late answers in a row


async def test_scores_that_are_not_numbers_are_not_used() -> None:
    bundle = make_bundle(ranker=ranker(float("nan")))

    products, _ = await ask(bundle, seconds=5)

    assert products[0] == "p4"
