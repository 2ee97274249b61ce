"""The only reader of the online store: one shopper's newest values from Redis, through Feast, for one request."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from features.asof import complete, numbers
from features.columns import KEYS, ONLINE, SHOP_ID, Entity, Value, columns_of, entity_of
from features.errors import NotWarm
from features.settings import FeatureSettings

if TYPE_CHECKING:
    from feast import FeatureView, RepoConfig


@dataclass(frozen=True)
class Row:
    """One entity's stored and request-time values, with defaults where nothing is stored.

    known: whether anything is stored. stale: the watermark of the rows is older than a column's `max_age`.
    """

    values: Mapping[str, Value]
    known: bool
    stale: bool


@dataclass(frozen=True)
class UserRow:
    """One shopper for one request.

    values: every numeric user feature by name. sequence: the last 50 products, oldest first.
    """

    values: Mapping[str, float]
    sequence: tuple[str, ...]
    bought: tuple[str, ...]
    stale: bool = False


class OnlineStore:
    """Reads Feast's rows in Redis through Feast's own store, by the views of the list. A request needs no registry.

    Importing Feast takes seconds, so a thread does it from construction on; `warm` waits for it. Until then reads raise
    NotWarm; afterwards they are thread-safe. Raises redis.RedisError when Redis is unavailable or slower than
    `timeout_seconds` per call.
    """

    def __init__(self, redis_url: str, timeout_seconds: float | None = None) -> None:
        self._settings = FeatureSettings(redis_url=SecretStr(redis_url))
        self._timeout = timeout_seconds
        self._reader: _Reader | None = None
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._load, name="feast-import", daemon=True)
        self._thread.start()

    def warm(self, timeout: float | None = None) -> None:
        """Wait until reads work. Raises NotWarm after `timeout` seconds, or the error of a failed import."""
        self._thread.join(timeout)
        self._ready()

    def read(self, entity: Entity, ids: Sequence[str]) -> list[Row]:
        """One row per id, in order. Raises ValueError for an entity whose rows are not online."""
        if not any(entity_of(model) == entity for model in ONLINE):
            raise ValueError(f"rows of entity {entity} are not in the online store")
        reader = self._ready()
        shop = reader.read("shop", [SHOP_ID])[0]
        return [_row(entity, stored, shop) for stored in reader.read(entity, ids)]

    def read_user(self, user_id: str) -> UserRow | None:
        """The shopper's row; None when no row was ever computed for this shopper."""
        row = self.read("user", [user_id])[0]
        if not row.known:
            return None
        sequence, bought = (_texts(row.values[name]) for name in ("user__sequence", "user__bought"))
        return UserRow(numbers("user", row.values), sequence, bought, row.stale)

    def close(self) -> None:
        """Close the connections."""
        if self._reader is not None:
            self._reader.close()

    def _load(self) -> None:
        try:
            self._reader = _Reader(self._settings, self._timeout)
        except Exception as error:  # noqa: BLE001 - raised again by the next read
            self._failure = error

    def _ready(self) -> "_Reader":
        if self._failure is not None:
            raise self._failure
        if self._reader is None:
            raise NotWarm("Feast is still being imported")
        return self._reader


@dataclass(frozen=True)
class _Stored:
    """Raw rows of one entity: value or None by column, and when each model's row was computed."""

    values: Mapping[str, Value | None]
    computed: Mapping[str, datetime]


class _Reader:
    """Feast's Redis store with our views."""

    def __init__(self, settings: FeatureSettings, timeout: float | None) -> None:
        import features.light_feast  # noqa: F401 - before Feast

        # isort: split
        from feast.infra.online_stores.redis import RedisOnlineStore

        from features.store import online_config
        from features.views import feature_views

        self._config: RepoConfig = online_config(settings, timeout)
        self._views: dict[str, FeatureView] = feature_views(Path("online"))
        self._store = RedisOnlineStore()

    def read(self, entity: Entity, ids: Sequence[str]) -> list[_Stored]:
        from feast.protos.feast.types.EntityKey_pb2 import EntityKey
        from feast.protos.feast.types.Value_pb2 import Value as ValueProto

        keys = [EntityKey(join_keys=[KEYS[entity]], entity_values=[ValueProto(string_val=name)]) for name in ids]
        values: list[dict[str, Value | None]] = [{} for _ in ids]
        computed: list[dict[str, datetime]] = [{} for _ in ids]
        for model in ONLINE:
            if entity_of(model) != entity or not ids:
                continue
            names = [column.name for column in columns_of(model)]
            found = self._store.online_read(self._config, self._views[model], keys, names)
            for index, (stamp, fields) in enumerate(found):
                row = {name: _python(fields[name]) for name in names if name in fields} if fields else {}
                # For an absent row Feast returns unset values and the epoch.
                if stamp is not None and any(value is not None for value in row.values()):
                    computed[index][model] = stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
                    values[index] |= row
        return [_Stored(value, when) for value, when in zip(values, computed, strict=True)]

    def close(self) -> None:
        client = self._store._client  # noqa: SLF001 - Feast offers no way to close it
        if client is not None:
            client.close()


def _row(entity: Entity, stored: _Stored, shop: _Stored) -> Row:
    """A complete row, and whether any of it is too old.

    A row is written when it changes; the shop's row has the watermark up to which all rows are known.
    """
    now = datetime.now(UTC)
    known_until = max(shop.computed.values(), default=datetime.min.replace(tzinfo=UTC))
    stale = any(
        now - max(when, known_until) > min(column.max_age for column in columns_of(model))
        for model, when in stored.computed.items()
    )
    values = complete(entity, stored.values, shop.values)
    return Row(values, bool(stored.computed), stale)


def _python(value: object) -> Value | None:
    """A Feast value as a Python value; None when unset."""
    kind = value.WhichOneof("val")  # type: ignore[attr-defined]  # a protobuf message
    if kind is None:
        return None
    raw = getattr(value, kind)
    return tuple(raw.val) if kind.endswith("_list_val") else raw


def _texts(value: Value) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()
