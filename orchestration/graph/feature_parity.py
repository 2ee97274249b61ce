"""Compares the online store with the published files for a sample of the online entities."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from features.asof import StoredRows
from features.columns import KEYS, ONLINE, Entity, Value, entity_of
from features.online import OnlineStore
from features.published import published
from features.settings import FeatureSettings


@dataclass(frozen=True)
class Parity:
    """`compared`: number of values. `differing`: `entity id column: offline, online`, at most 20."""

    compared: int
    differing: list[str]


def compare_online(settings: FeatureSettings, sample: int = 100, seed: int = 0) -> Parity:
    """Read `sample` entities of every kind from both sides and compare each value exactly."""
    stored = StoredRows.read(published(settings), ONLINE)
    store = OnlineStore(settings.redis_url.get_secret_value())
    store.warm(120)
    compared, differing = 0, []
    try:
        for entity in dict.fromkeys(entity_of(model) for model in ONLINE):
            ids = _sample(stored, entity, sample, seed)
            offline = stored.as_of(entity, ids).to_pylist()
            for key, past, row in zip(ids, offline, store.read(entity, ids), strict=True):
                compared += len(past)
                differing += _differences(f"{entity} {key}", past, row.values)
    finally:
        store.close()
    return Parity(compared, differing[:20])


def _sample(stored: StoredRows, entity: Entity, size: int, seed: int) -> list[str]:
    """A random sample of ids that have a row."""
    known: set[str] = set()
    for model in ONLINE:
        if entity_of(model) == entity:
            known.update(stored.newest(model)[KEYS[entity]].to_pylist())
    return sorted(random.Random(seed).sample(sorted(known), min(size, len(known))))  # noqa: S311 - a sample, not a secret


def _differences(where: str, offline: dict[str, object], online: Mapping[str, Value]) -> list[str]:
    found = []
    for name, value in offline.items():
        past = tuple(value) if isinstance(value, list) else value
        if past != online[name]:
            found.append(f"{where} {name}: {past!r}, {online[name]!r}")
    return found
