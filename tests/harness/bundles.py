"""A recommender's data for six products, small enough to compute by hand; in memory and as files.

Products p0..p5, categories: p0 p1 p2 "Tea", p3 p4 "Cups", p5 without one. Neighbours: p0 -> p1 .9, p2 .6; p1 -> p0 .9,
p2 .5, p3 .2 (words alone); p2 -> p0 .6, p1 .5; p3 -> p4 .8; p4 -> p3 .8; p5 has none. Popularity falls from p0 to p5.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP, KEYS, columns_of, entity_of
from serving.bundle.models import Ranker, Sequential
from serving.bundle.neighbours import Neighbours
from serving.bundle.read import Bundle, BundleMeta, Histories
from serving.recommender.assortment import Assortment, build_assortment
from serving.recommender.product_features import ProductFeatures

PRODUCTS = ("p0", "p1", "p2", "p3", "p4", "p5")
TITLES = ("Green tea", "Black tea", "White tea", "Blue cup", "Red cup", "Gift card")
CATEGORIES = ("Tea", "Tea", "Tea", "Cups", "Cups", "")
POPULARITY = (6.0, 5.0, 4.0, 3.0, 2.0, 1.0)
ROWS: tuple[tuple[tuple[int, float, bool], ...], ...] = (
    ((1, 0.9, True), (2, 0.6, True)),
    ((0, 0.9, True), (2, 0.5, True), (3, 0.2, False)),
    ((0, 0.6, True), (1, 0.5, True)),
    ((4, 0.8, True),),
    ((3, 0.8, True),),
    (),
)


def neighbours() -> Neighbours:
    """The table above, padded to three."""
    padded = [[*row, *((-1, 0.0, False),) * (3 - len(row))] for row in ROWS]
    return Neighbours(
        np.array([[cell[0] for cell in row] for row in padded], dtype=np.int32),
        np.array([[cell[1] for cell in row] for row in padded], dtype=np.float32),
        np.array([[cell[2] for cell in row] for row in padded], dtype=bool),
    )


def make_bundle(
    *,
    decay: float = 0.5,
    candidates: Mapping[str, int] | None = None,
    histories: Mapping[str, list[int]] | None = None,
    sequential: Sequential | None = None,
    ranker: Ranker | None = None,
) -> Bundle:
    """The data as a loaded bundle. `histories`: one item per order, oldest first."""
    known = histories or {}
    meta = BundleMeta.model_validate(
        {
            "formatVersion": 1,
            "version": "test",
            "columnsHash": "x",
            "decay": decay,
            "candidates": dict(candidates or {}),
            "files": {},
        }
    )
    lists = list(known.values())
    return Bundle(
        meta=meta,
        item_ids=PRODUCTS,
        titles=TITLES,
        categories=CATEGORIES,
        popularity_3N=np.array([POPULARITY] * 3, dtype=np.float32),
        recommendable_N=np.ones(6, dtype=bool),
        for_you=neighbours(),
        related=neighbours(),
        content=None,
        histories=Histories(
            {user: row for row, user in enumerate(known)},
            np.cumsum([0, *map(len, lists)]).astype(np.int64),
            np.array([item for items in lists for item in items], dtype=np.int32),
            np.array([age for items in lists for age in range(len(items) - 1, -1, -1)], dtype=np.int32),
        ),
        sequential=sequential,
        ranker=ranker,
        index={product: row for row, product in enumerate(PRODUCTS)},
    )


def make_product_features(
    *,
    products: tuple[str, ...] = PRODUCTS,
    categories: tuple[str, ...] = CATEGORIES,
    out_of_stock: tuple[str, ...] = (),
    orders: tuple[float, ...] | None = None,
) -> ProductFeatures:
    """Product features with one column, product__orders_30d, by default falling from 60."""
    values = orders or tuple(float(10 * (len(products) - row)) for row in range(len(products)))
    return ProductFeatures(
        product_ids=products,
        columns=("product__orders_30d",),
        values_PF=np.array(values, dtype=np.float32)[:, None],
        in_stock_P=np.array([product not in out_of_stock for product in products]),
        popularity_P=np.array(values, dtype=np.float32),
        categories=categories,
        unknown_product={"product__orders_30d": 0.0},
        unknown_shopper={"user__orders_total": 0.0},
        place={product: row for row, product in enumerate(products)},
    )


def make_assortment(bundle: Bundle | None, features: ProductFeatures | None = None) -> Assortment:
    """Bundle and features joined. All six products are in stock unless the features say otherwise."""
    return build_assortment(bundle, features or make_product_features())


def write_bundle(folder: Path, *, columns_hash: str, version: str | None = None, scores: float = 1.0) -> Path:
    """Write the data as a bundle directory with item-to-item only.

    `scores` scales the neighbours' scores; nan makes an invalid bundle.
    """
    folder.mkdir(parents=True)
    items = {
        "product_id": list(PRODUCTS),
        "title": list(TITLES),
        "category": [f"Everything/{name}" if name else None for name in CATEGORIES],
        **{f"popularity_{span}": pa.array(POPULARITY, pa.float32()) for span in ("recent", "month", "all")},
        "recommendable": [True] * 6,
    }
    pq.write_table(pa.table(items), folder / "items.parquet")
    table = neighbours()
    for name in ("for_you", "related"):
        np.savez(
            folder / f"{name}.npz",
            indices=table.index_NK,
            scores=table.score_NK * np.float32(scores),
            support=table.bought_NK,
        )
    lists = pa.list_(pa.int32())
    people = pa.table(
        {"user_id": ["ann", "cara"], "items": pa.array([[0, 1], [3]], lists), "ages": pa.array([[1, 0], [0]], lists)}
    )
    pq.write_table(people, folder / "sequences.parquet")
    write_meta(folder, columns_hash=columns_hash, version=version or folder.name)
    return folder


def write_meta(folder: Path, **fields: object) -> None:
    """Write bundle.json with the current digests of the files; extra fields in snake case."""
    camel = {"columns_hash": "columnsHash", "ranker_inputs": "rankerInputs", "sequence_length": "sequenceLength"}
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name != "bundle.json"
    }
    document = {
        "formatVersion": 1,
        "decay": 0.5,
        "files": files,
        **{camel.get(name, name): value for name, value in fields.items()},
    }
    (folder / "bundle.json").write_text(json.dumps(document), encoding="utf-8")


def point_at(models: Path, folder: Path) -> None:
    """Point champion.json to the folder, by atomic rename."""
    fresh = models / "champion.json.new"
    fresh.write_text(json.dumps({"version": folder.name, "path": folder.name}), encoding="utf-8")
    fresh.replace(models / "champion.json")


def write_features(
    home: Path,
    *,
    out_of_stock: tuple[str, ...] = (),
    products: tuple[str, ...] = PRODUCTS,
    shoppers: Mapping[str, list[str]] | None = None,
    **columns: list[float],
) -> None:
    """Publish a feature set of the six products, and of others when given, with one event time.

    Values are the list's defaults, except those in `columns`. `shoppers`: what each one bought, oldest first.
    """
    moment = datetime.now(UTC)
    folder = home / "features" / "snapshots" / f"set-{uuid4()}"
    folder.mkdir(parents=True)
    known = shoppers or {}
    categories = [name.lower() for name in (*CATEGORIES, *("Tea",) * (len(products) - 6))]
    tables: dict[str, tuple[list[str], dict[str, object]]] = {
        "features_product": (
            list(products),
            {
                "product__in_stock": [p not in out_of_stock for p in products],
                "product__category_id": categories,
                **columns,
            },
        ),
        "features_user": (list(known), {"user__orders_total": [len(bought) for bought in known.values()]}),
        "features_user_history": (
            list(known),
            {"user__sequence": list(known.values()), "user__bought": list(known.values())},
        ),
        "features_shop": (["souk"], {"shop__trading_day": [100]}),
    }
    for model, (ids, values) in tables.items():
        fields = [
            pa.field(KEYS[entity_of(model)], pa.string()),
            *(pa.field(name, pa.timestamp("us", "UTC")) for name in (EVENT_TIMESTAMP, CREATED_TIMESTAMP)),
            *(pa.field(column.name, _ARROW[column.dtype]) for column in columns_of(model)),
        ]
        stamps = [[moment] * len(ids)] * 2
        own = [values.get(column.name, [column.default] * len(ids)) for column in columns_of(model)]
        pq.write_table(pa.table([ids, *stamps, *own], schema=pa.schema(fields)), folder / f"{model}.parquet")
    (folder / "watermark.json").write_text(json.dumps({"lsn": "0/1", "asOf": moment.isoformat()}), encoding="utf-8")
    link = home / "features" / ".new"
    link.symlink_to(folder)
    link.replace(home / "features" / "current")


_ARROW = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "strings": pa.list_(pa.string()),
}
