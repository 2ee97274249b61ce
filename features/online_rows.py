"""Writes rows to the online store through Feast's Redis store, and the stamp that says which set they belong to.

The stamp is one key among the rows. It is written before the first row with every set of which Redis may now hold
rows, and after the last one with the written set alone: whoever is killed in between leaves a stamp that says so.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from features.columns import BY_NAME, KEYS, ONLINE, Dtype, Value, entity_of
from features.settings import PROJECT, FeatureSettings

if TYPE_CHECKING:
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value as ValueProto

STAMP = "souk:online_features"
_CHUNK = 1_000


@dataclass(frozen=True)
class Stamp:
    """What Redis holds.

    sets: names of the sets; more than one while one replaces another. definitions: the list's hash. rows: by view.
    full_at: when all rows were written last, in seconds since 1970. registry: the registry that was told of the list.
    """

    sets: tuple[str, ...] = ()
    definitions: str = ""
    lsn: str = ""
    as_of: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    full_at: float = 0.0
    registry: str = ""


def read_stamp(client: redis.Redis) -> Stamp:
    """The stamp; an empty one where there is none, or that of another release."""
    text = client.get(STAMP)
    try:
        raw = json.loads(text) if isinstance(text, str | bytes) else {}
        return Stamp(**{**raw, "sets": tuple(raw.get("sets", ()))})
    except (AttributeError, TypeError, ValueError):
        return Stamp()


def write_stamp(client: redis.Redis, stamp: Stamp) -> None:
    client.set(STAMP, json.dumps(asdict(stamp)))


class OnlineRows:
    """The rows of `columns.ONLINE` in one Redis. Raises redis.RedisError when it is unavailable.

    Importing Feast takes seconds, so this is made only when there is something to write.
    """

    def __init__(self, settings: FeatureSettings, client: redis.Redis) -> None:
        import features.light_feast  # noqa: F401 - before Feast

        # isort: split
        from feast.infra.online_stores.redis import RedisOnlineStore

        from features.store import online_config
        from features.views import feature_views

        self._config = online_config(settings)
        # Feast by itself leaves a row alone whose stored time is not older: it could not correct one.
        self._config.online_store.skip_dedup = True
        self._views = feature_views(Path("online"))
        self._feast = RedisOnlineStore()
        self._client = client

    def write(self, model: str, rows: Sequence[tuple[str, Mapping[str, Value | None]]], as_of: datetime) -> set[bytes]:
        """Put rows (id, values by column) in the place of those of the same ids; returns their keys in Redis."""
        entities = [_entity(model, key) for key, _ in rows]
        data = [
            (entity, {name: _proto(name, value) for name, value in values.items()}, as_of, None)
            for entity, (_, values) in zip(entities, rows, strict=True)
        ]
        self._feast.online_write_batch(self._config, self._views[model], data, None)
        return {self._key(entity) for entity in entities}

    def remove(self, model: str, ids: Sequence[str]) -> None:
        """Remove one model's rows; Redis drops a key with its last field."""
        from feast.infra.online_stores.helpers import _mmh3

        fields = [f"_ts:{model}", *(_mmh3(f"{model}:{field.name}") for field in self._views[model].features)]
        for start in range(0, len(ids), _CHUNK):
            with self._client.pipeline(transaction=False) as pipe:
                for key in ids[start : start + _CHUNK]:
                    pipe.hdel(self._key(_entity(model, key)), *fields)  # type: ignore[arg-type]  # bytes are a key
                pipe.execute()

    def remove_all_but(self, keys: set[bytes]) -> int:
        """Remove every row of the entities online whose key is not among these; returns how many keys there were."""
        from feast.infra.online_stores.helpers import _redis_key_prefix

        others: list[bytes] = []
        for entity in dict.fromkeys(entity_of(model) for model in ONLINE):
            pattern = _redis_key_prefix([KEYS[entity]]) + b"*" + PROJECT.encode()
            others += [key for key in self._client.scan_iter(match=pattern, count=_CHUNK) if key not in keys]
        for start in range(0, len(others), _CHUNK):
            self._client.unlink(*others[start : start + _CHUNK])
        return len(others)

    def close(self) -> None:
        """Close Feast's connections."""
        opened = self._feast._client  # noqa: SLF001 - Feast offers no way to close it
        if opened is not None:
            opened.close()

    def _key(self, entity: "EntityKey") -> bytes:
        from feast.infra.online_stores.helpers import _redis_key

        return bytes(_redis_key(PROJECT, entity, self._config.entity_key_serialization_version))


def _entity(model: str, key: str) -> "EntityKey":
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value as ValueProto

    return EntityKey(join_keys=[KEYS[entity_of(model)]], entity_values=[ValueProto(string_val=key)])


_FIELDS: dict[Dtype, str] = {
    "int64": "int64_val",
    "float64": "double_val",
    "bool": "bool_val",
    "string": "string_val",
}


def _proto(name: str, value: Value | None) -> "ValueProto":
    """A value as Feast stores it; nothing set where nothing is stored."""
    from feast.protos.feast.types.Value_pb2 import Value as ValueProto

    stored = ValueProto()
    if isinstance(value, list | tuple):
        stored.string_list_val.SetInParent()  # an empty list is a value
        stored.string_list_val.val.extend(value)
    elif value is not None:
        setattr(stored, _FIELDS[BY_NAME[name].dtype], value)
    return stored
