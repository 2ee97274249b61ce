"""The present: feature values in Redis, written after every build and read for one request."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import SecretStr

from features.columns import (
    BY_NAME,
    COLUMNS,
    KEYS,
    MODELS,
    SHOP_ID,
    Entity,
    Value,
    columns_of,
    entity_of,
    numeric_columns,
)
from features.errors import NotWarm
from features.settings import FeatureSettings

if TYPE_CHECKING:
    from feast import FeatureView, RepoConfig


@dataclass(frozen=True)
class Row:
    """One entity's values, stored and request-time ones, defaults where nothing is stored. known: whether anything is
    stored.

    as_of: when the newest of its rows was computed. stale: one of them is older than its column allows.
    """

    values: Mapping[str, Value]
    known: bool
    as_of: datetime | None
    stale: bool


@dataclass(frozen=True)
class UserRow:
    """One shopper for one request. values: every numeric user feature by name; sequence: last 50 products, oldest
    first."""

    values: Mapping[str, float]
    sequence: tuple[str, ...]
    bought: tuple[str, ...]
    stale: bool = False


@dataclass(frozen=True)
class Vectors:
    """values_NF float64 [N products, F columns]: product columns, then the shopper's, in the list's order. stale: any
    row is too old."""

    columns: tuple[str, ...]
    values_NF: npt.NDArray[np.float64]
    stale: bool


class OnlineStore:
    """Reads Feast's rows in Redis through Feast's own store, by the views of the list: no registry on the path of a
    request.

    Importing Feast takes seconds, so it happens in a thread from construction on; `warm` waits for it. Reads before
    raise NotWarm. Thread-safe after that. Raises redis.RedisError when Redis is away or slower than `timeout_seconds`
    per call.
    """

    def __init__(self, redis_url: str, timeout_seconds: float | None = None) -> None:
        self._settings = FeatureSettings(redis_url=SecretStr(redis_url))
        self._timeout = timeout_seconds
        self._reader: _Reader | None = None
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._load, name="feast-import", daemon=True)
        self._thread.start()

    def warm(self, timeout: float | None = None) -> None:
        """Wait until reads work. Raises NotWarm after `timeout` seconds, and what broke the import if something did."""
        self._thread.join(timeout)
        self._ready()

    def read(self, entity: Entity, ids: Sequence[str]) -> list[Row]:
        """One row per id, in order."""
        shop = self._ready().read("shop", [SHOP_ID])[0]
        return [_row(entity, stored, shop) for stored in self._ready().read(entity, ids)]

    def read_user(self, user_id: str) -> UserRow | None:
        """The shopper's row; None when nothing was ever computed for them."""
        row = self.read("user", [user_id])[0]
        if not row.known:
            return None
        values = {column.name: _number(row.values[column.name]) for column in numeric_columns("user")}
        return UserRow(values, _texts(row.values["user__sequence"]), _texts(row.values["user__bought"]), row.stale)

    def vector(self, user_id: str | None, product_ids: Sequence[str]) -> Vectors:
        """The numbers of every (product, shopper) pair; unknown products and shoppers get defaults."""
        products = self.read("product", product_ids)
        user = self.read("user", [user_id if user_id is not None else ""])[0]
        shared = [_number(user.values[column.name]) for column in numeric_columns("user")]
        own = numeric_columns("product")
        rows = [[*(_number(product.values[column.name]) for column in own), *shared] for product in products]
        names = tuple(column.name for column in (*own, *numeric_columns("user")))
        stale = user.stale or any(product.stale for product in products)
        return Vectors(names, np.asarray(rows, dtype=np.float64).reshape(len(rows), len(names)), stale)

    def close(self) -> None:
        """Close the connections."""
        if self._reader is not None:
            self._reader.close()

    def _load(self) -> None:
        try:
            self._reader = _Reader(self._settings, self._timeout)
        except Exception as error:  # noqa: BLE001 - carried to whoever reads
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
        for model in MODELS:
            if entity_of(model) != entity or not ids:
                continue
            names = [column.name for column in columns_of(model)]
            found = self._store.online_read(self._config, self._views[model], keys, names)
            for index, (stamp, fields) in enumerate(found):
                row = {name: _python(fields[name]) for name in names if name in fields} if fields else {}
                # Feast answers an absent row with unset values and the epoch.
                if stamp is not None and any(value is not None for value in row.values()):
                    computed[index][model] = stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
                    values[index] |= row
        return [_Stored(value, when) for value, when in zip(values, computed, strict=True)]

    def close(self) -> None:
        client = self._store._client  # noqa: SLF001 - Feast offers no way to close it
        if client is not None:
            client.close()


def _row(entity: Entity, stored: _Stored, shop: _Stored) -> Row:
    """Defaults filled, request-time columns added."""
    base = {**stored.values, **shop.values}
    values: dict[str, Value] = {}
    for column in COLUMNS:
        if column.entity in {entity, "shop"} and column.minus is None:
            found = base.get(column.name)
            values[column.name] = column.default if found is None else found
    for column in COLUMNS:
        if column.entity == entity and column.minus is not None:
            values[column.name] = int(_number(values[column.minus[0]]) - _number(values[column.minus[1]]))
    now = datetime.now(UTC)
    oldest = {
        model: min((column.max_age for column in columns_of(model)), default=timedelta(0)) for model in stored.computed
    }
    stale = any(now - when > oldest[model] for model, when in stored.computed.items())
    return Row(values, bool(stored.computed), max(stored.computed.values(), default=None), stale)


def _python(value: object) -> Value | None:
    """A Feast value as ours; None when unset."""
    kind = value.WhichOneof("val")  # type: ignore[attr-defined]  # a protobuf message
    if kind is None:
        return None
    raw = getattr(value, kind)
    return tuple(raw.val) if kind.endswith("_list_val") else raw


def _number(value: Value) -> float:
    if isinstance(value, (str, tuple)):
        raise TypeError(f"{value!r:.60} is not a number")
    return float(value)


def _texts(value: Value) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def default_row(entity: Entity) -> dict[str, Value]:
    """What an entity without any row looks like."""
    return {name: column.default for name, column in BY_NAME.items() if column.entity == entity}
