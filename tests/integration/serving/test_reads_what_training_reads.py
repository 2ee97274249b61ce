"""Training and serving read one vector: random people and products, rows absent included, out of the files that a build
wrote and the Redis that materialisation filled, through the code that production runs on either side."""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

import features.asof
from features.columns import COLUMNS, Entity, Value, entity_columns, numeric_columns
from features.materialise import materialise
from features.settings import FeatureSettings
from serving.arrays import Floats
from serving.recommender.assortment import build_assortment
from serving.recommender.product_features import ProductFeaturesReader
from serving.recommender.rank import ranker_matrix
from serving.recommender.retrieve import Candidates
from serving.recommender.shoppers import Shoppers
from serving.settings import ServingSettings
from tests.harness.bundles import make_bundle
from tests.integration.conftest import BuiltMarts
from training.data.cases import Cases, ragged
from training.data.datasets import GUEST, FeatureTable, Scores
from training.data.readers import read_features
from training.recommender.models.retrieval import feature_inputs

pytestmark = pytest.mark.timeout(600)
NAMES = tuple(column.name for column in numeric_columns("product", "user"))
People = list[str | None]


@dataclass(frozen=True)
class World:
    """One build. products, people: known ones, one that has no row, a guest (None)."""

    home: Path
    products: list[str]
    people: People
    moment: float
    settings: ServingSettings


@pytest.fixture(scope="module")
def world(built_marts: BuiltMarts, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> World:
    home = built_marts.settings.home
    registry = str(tmp_path_factory.mktemp("feast") / "registry.db")
    materialise(FeatureSettings(home=home, redis_url=redis_url, feast_registry_url=registry))
    rng = random.Random(5)
    products = [str(row["product_id"]) for row in built_marts.shop.rows["products"]]
    people = sorted({str(row["user_id"]) for row in built_marts.shop.rows["orders"] if row["user_id"]})
    return World(
        home,
        [*rng.sample(products, min(25, len(products))), "product without a row"],
        [*rng.sample(people, min(25, len(people))), "shopper without a row", None],
        built_marts.watermark.commit_ts.timestamp() / 86_400,
        ServingSettings(home=home, redis_url=redis_url, serving_online_ms=20_000),
    )


@pytest.fixture(scope="module")
def shoppers(world: World) -> Iterator[Shoppers]:
    found = Shoppers(world.settings)
    yield found
    asyncio.run(found.close())


def training_vectors(world: World) -> Scores:
    """[people, products, columns]: what a fit at the build's watermark would see of every product for every person."""
    table = read_features(world.home / "features" / "current")
    assert table is not None
    assert table.columns == NAMES
    names = [person for person in world.people if person is not None]
    count, nothing = len(world.people), ragged([np.empty(0, np.int32)] * len(world.people))
    users = [GUEST if person is None else names.index(person) for person in world.people]
    cases = Cases(np.array(users, dtype=np.int32), nothing, nothing, nothing, world.moment)
    items = np.tile(np.arange(len(world.products)), (count, 1))
    return feature_inputs(table, world.products, names, cases, items)


async def serving_vectors(world: World, shoppers: Shoppers) -> Floats:
    """The same numbers as a request's ranker gets them. The bundle knows all products, also the one without a row."""
    reading = ProductFeaturesReader(world.settings.features_folder).read_if_changed()
    assert reading is not None
    size = len(world.products)
    bundle = replace(
        make_bundle(),
        item_ids=tuple(world.products),
        titles=("",) * size,
        categories=("",) * size,
        popularity_3N=np.zeros((3, size), np.float32),
        recommendable_N=np.ones(size, dtype=bool),
        index={product: row for row, product in enumerate(world.products)},
    )
    assortment = build_assortment(bundle, reading)
    for _ in range(2400):  # until Feast is imported
        if (await shoppers.read(world.people[0], assortment)).bought:
            break
        await asyncio.sleep(0.1)
    candidates = Candidates(np.arange(size, dtype=np.int32), np.zeros(size, dtype=bool), {})
    rows = [await shoppers.read(person, assortment) for person in world.people]
    return np.stack([ranker_matrix(NAMES, assortment, row.values, candidates) for row in rows])


async def different(world: World, shoppers: Shoppers) -> set[str]:
    """Names of the columns in which any two numbers differ."""
    ours, theirs = training_vectors(world), await serving_vectors(world, shoppers)
    assert ours.shape == theirs.shape == (len(world.people), len(world.products), len(NAMES))
    return {name for place, name in enumerate(NAMES) if ours[:, :, place].tobytes() != theirs[:, :, place].tobytes()}


async def test_the_vector_that_training_reads_is_the_vector_that_serving_reads(
    world: World, shoppers: Shoppers
) -> None:
    assert await different(world, shoppers) == set()
    vectors = training_vectors(world)
    days = vectors[:, :, NAMES.index("user__days_since_last_order")]
    assert days[-1, 0] == days[-2, 0] > days[:-2].min()  # without a row: as many days as the shop is old
    assert len(np.unique(vectors)) > 50


def without_formulas(
    entity: Entity, stored: Mapping[str, Value | None], shop: Mapping[str, Value | None]
) -> dict[str, Value]:
    """The fault of old: columns made when they are read have their default."""
    own = {column.name: column.default for column in entity_columns(entity) if column.minus is not None}
    return features.asof.complete(entity, stored, shop) | own


def past_without_formulas(read: Callable[..., Scores]) -> Callable[..., Scores]:
    """The same fault in training."""

    def as_of(table: FeatureTable, entity: Entity, ids: list[str], moment: float) -> Scores:
        values = read(table, entity, ids, moment).copy()
        own = [column for column in COLUMNS if column.entity == entity and column.name in table.columns]
        values[:, [column.minus is not None for column in own]] = 0.0
        return values

    return as_of


async def test_a_formula_of_its_own_in_any_one_reader_is_noticed(
    world: World, shoppers: Shoppers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: each reader in turn leaves the formulas out."""
    product = {"product__days_since_first_order", "product__days_since_last_order"}
    user = {"user__days_since_last_order"}
    faults: list[tuple[str, object, set[str]]] = [
        ("serving.recommender.product_features.complete", without_formulas, product | user),
        ("features.online.complete", without_formulas, user),
        ("training.data.datasets.FeatureTable.as_of", past_without_formulas(FeatureTable.as_of), product | user),
    ]
    for target, fault, columns in faults:
        with monkeypatch.context() as patch:
            patch.setattr(target, fault)
            assert await different(world, shoppers) == columns, target
    assert await different(world, shoppers) == set()
