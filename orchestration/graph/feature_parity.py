"""Do the online store and the published files say the same about a sample of products and shoppers?"""

import random
from dataclasses import dataclass

import duckdb

from features.columns import EVENT_TIMESTAMP, KEYS, MODELS, columns_of, entity_of
from features.online import OnlineStore, Row
from features.published import published
from features.settings import FeatureSettings


@dataclass(frozen=True)
class Parity:
    """compared: values looked at. differing: `view entity column: offline, online`, at most 20."""

    compared: int
    differing: list[str]


def compare_online(settings: FeatureSettings, sample: int = 100, seed: int = 0) -> Parity:
    """Read `sample` entities of every view from both sides and compare each stored value exactly."""
    folder = published(settings)
    store = OnlineStore(settings.redis_url.get_secret_value())
    store.warm(120)
    compared, differing = 0, []
    try:
        for model in MODELS:
            entity, names = entity_of(model), [column.name for column in columns_of(model)]
            offline = _newest(str(folder / f"{model}.parquet"), KEYS[entity], names)
            ids = sorted(random.Random(seed).sample(sorted(offline), min(sample, len(offline))))  # noqa: S311 - a sample, no secret
            for key, row in zip(ids, store.read(entity, ids), strict=True):
                compared += len(names)
                differing += _differences(f"{model} {key}", dict(zip(names, offline[key], strict=True)), row)
    finally:
        store.close()
    return Parity(compared, differing[:20])


def _newest(path: str, key: str, names: list[str]) -> dict[str, tuple[object, ...]]:
    """Entity -> its newest values in the file."""
    columns = ", ".join(names)
    query = (
        f"SELECT {key}, {columns} FROM read_parquet(?)"  # noqa: S608 - names of the list
        f" QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {EVENT_TIMESTAMP} DESC) = 1"
    )
    with duckdb.connect() as con:
        return {str(row[0]): row[1:] for row in con.execute(query, [path]).fetchall()}


def _differences(where: str, offline: dict[str, object], online: Row) -> list[str]:
    found = []
    for name, value in offline.items():
        past = tuple(value) if isinstance(value, list) else value
        if past != online.values[name]:
            found.append(f"{where} {name}: {past!r}, {online.values[name]!r}")
    return found
