"""Bring Redis to the newest feature set by the rows that changed, and Feast's registry to the list.

`python -m features.materialise [--full] [--json]`
"""

import fcntl
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.columns import CLOCK, ONLINE, columns_hash
from features.errors import FeatureError
from features.published import published, watermark
from features.settings import FeatureSettings
from features.store_address import registry_file
from warehouse.command import Json, program

if TYPE_CHECKING:
    import redis

    from features.images import Images
    from features.online_rows import OnlineRows, Stamp

# Rows that Redis alone lost, one by one, come back within this time.
_FULL_SECONDS = 86_400.0


@dataclass(frozen=True)
class MaterialiseResult:
    """What one run did: rows in Redis by view, the watermark they belong to, seconds by phase.

    written, removed: rows that the run wrote or removed, by view. full: whether it wrote all of them.
    """

    lsn_text: str
    as_of: str
    columns_hash: str
    rows: dict[str, int]
    seconds: dict[str, float]
    written: dict[str, int]
    removed: dict[str, int]
    full: bool


def materialise(settings: FeatureSettings, *, full: bool = False) -> MaterialiseResult:
    """Write the newest rows of the models that requests read (`columns.ONLINE`) where Redis holds others.

    All rows are written when Redis does not say which set it holds, when the list has changed, once a day, and with
    `full`. Safe to repeat after any crash. Raises FeaturesMissing before the first build, redis.RedisError.
    """
    import redis

    from features.online_rows import read_stamp

    started = time.perf_counter()
    folder = published(settings)
    with _alone(settings), closing(redis.Redis.from_url(settings.redis_url.get_secret_value())) as client:
        stamp = read_stamp(client)
        older = None if full or not _is_usable(stamp) else _images(settings).find(stamp.sets)
        registry = _register(settings, stamp.registry if older else "")
        applied = time.perf_counter()
        if older and stamp.sets == (folder.name,) and stamp.registry == registry:
            counts = _Counts(dict(stamp.rows), dict.fromkeys(ONLINE, 0), dict.fromkeys(ONLINE, 0))
        else:
            counts = _replace(settings, client, folder, older, replace(stamp, registry=registry))
    seconds = {"apply": round(applied - started, 3), "write": round(time.perf_counter() - applied, 3)}
    mark = watermark(folder)
    return MaterialiseResult(
        mark.lsn_text, mark.as_of, columns_hash(), counts.rows, seconds, counts.written, counts.removed, full=not older
    )


@dataclass(frozen=True)
class _Counts:
    rows: dict[str, int]
    written: dict[str, int]
    removed: dict[str, int]


def _replace(
    settings: FeatureSettings, client: "redis.Redis", folder: Path, older: list[Path] | None, stamp: "Stamp"
) -> _Counts:
    """Bring the rows in Redis to the set in `folder` from the older ones, or in full without them."""
    from features.online_rows import STAMP, OnlineRows, write_stamp

    images = _images(settings)
    mark, newer = watermark(folder), images.keep(folder)
    if older is None:
        client.delete(STAMP)
    else:
        write_stamp(client, replace(stamp, sets=tuple(dict.fromkeys((*stamp.sets, folder.name)))))
    with closing(OnlineRows(settings, client)) as online:
        if stamp.definitions != columns_hash():  # fields of other columns would stay
            online.remove_all_but(set())
        counts = _write(online, newer, older, datetime.fromisoformat(mark.as_of))
    full_at = stamp.full_at if older else time.time()
    done = replace(stamp, sets=(folder.name,), definitions=columns_hash(), full_at=full_at)
    write_stamp(client, replace(done, rows=counts.rows, lsn=mark.lsn_text, as_of=mark.as_of))
    images.forget_all_but(folder.name)
    return counts


def _write(online: "OnlineRows", newer: Path, older: list[Path] | None, as_of: datetime) -> _Counts:
    """Write what differs. The shop's row is always written, last: its time says up to when all rows are known."""
    import duckdb

    from features.images import difference

    counts, keys = _Counts({}, {}, {}), set[bytes]()
    with duckdb.connect() as con:
        for model in ONLINE:
            found = difference(con, model, newer, () if older is None or model == CLOCK else older)
            counts.rows[model], counts.written[model], counts.removed[model] = found.total, 0, len(found.gone)
            for batch in found.rows:
                keys |= online.write(model, batch, as_of)
                counts.written[model] += len(batch)
            online.remove(model, found.gone)
    if older is None:
        online.remove_all_but(keys)
    return counts


def _images(settings: FeatureSettings) -> "Images":
    from features.images import Images

    return Images(settings.feast_folder / "online")


def _is_usable(stamp: "Stamp") -> bool:
    """Whether the rows in Redis are those of the list of today and were written in full within a day."""
    return stamp.definitions == columns_hash() and time.time() - stamp.full_at < _FULL_SECONDS


def _register(settings: FeatureSettings, known: str) -> str:
    """Tell Feast's registry of the list unless `known` says that this was done; returns what to remember."""
    where = settings.feast_registry_url.get_secret_value()
    file = registry_file(settings)
    told = hashlib.sha256(f"{where}|{columns_hash()}|{settings.current_features}".encode()).hexdigest()
    if known != told or (file is not None and not file.exists()):
        import features.light_feast  # noqa: F401 - before Feast, which takes seconds

        # isort: split
        from feast import FeatureStore

        from features.store import apply, online_config

        apply(FeatureStore(config=online_config(settings)), settings.current_features)
    return told


@contextmanager
def _alone(settings: FeatureSettings) -> Iterator[None]:
    """One run at a time writes; the lock ends with the process."""
    settings.feast_folder.mkdir(parents=True, exist_ok=True)
    with (settings.feast_folder / ".online.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@program("python -m features.materialise")
def main(
    full: Annotated[bool, typer.Option("--full", help="Write every row, not only those that changed.")] = False,
    as_json: Json = False,
) -> int:
    """Write the feature values that changed to Redis."""
    import redis

    try:
        result = materialise(FeatureSettings(), full=full)
    except (FeatureError, redis.RedisError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if as_json:
        text = json.dumps(asdict(result))
    else:
        written, removed = sum(result.written.values()), sum(result.removed.values())
        total = f"{sum(result.rows.values()):,} rows in Redis as of {result.as_of}"
        text = f"{total}: {written:,} written, {removed:,} removed"
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
