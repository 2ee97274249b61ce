"""Write the newest feature values to Redis and the list to Feast's registry.

`python -m features.materialise [--json]`
"""

import json
import sys
import time
from dataclasses import asdict, dataclass

from features.columns import ONLINE, columns_hash
from features.errors import FeatureError
from features.published import published, watermark
from features.settings import FeatureSettings
from warehouse.command import Json, program


@dataclass(frozen=True)
class MaterialiseResult:
    """What one run wrote: rows by view, the watermark they belong to, seconds by phase."""

    lsn_text: str
    as_of: str
    columns_hash: str
    rows: dict[str, int]
    seconds: dict[str, float]


def materialise(settings: FeatureSettings) -> MaterialiseResult:
    """Write the newest rows of the models that requests read (`columns.ONLINE`) from the published set to Redis.

    Safe to repeat: an older row never replaces a newer one. Raises FeaturesMissing before the first build.
    """
    from feast import FeatureStore  # takes seconds to import; `--help` does not need it

    from features.asof import StoredRows
    from features.store import apply, online_config

    started = time.perf_counter()
    folder = published(settings)
    mark = watermark(folder)
    store = FeatureStore(config=online_config(settings))
    apply(store, settings.current_features)
    applied = time.perf_counter()
    rows: dict[str, int] = {}
    stored = StoredRows.read(folder, ONLINE)
    for model in ONLINE:
        newest = stored.newest(model)
        if newest.num_rows:
            store.write_to_online_store(model, newest.to_pandas())
        rows[model] = newest.num_rows
    seconds = {"apply": round(applied - started, 3), "write": round(time.perf_counter() - applied, 3)}
    return MaterialiseResult(mark.lsn_text, mark.as_of, columns_hash(), rows, seconds)


@program("python -m features.materialise")
def main(as_json: Json = False) -> int:
    """Write the newest feature values to Redis."""
    try:
        result = materialise(FeatureSettings())
    except FeatureError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    text = (
        json.dumps(asdict(result)) if as_json else f"{sum(result.rows.values()):,} rows in Redis as of {result.as_of}"
    )
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
