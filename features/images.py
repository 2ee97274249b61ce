"""Which rows Redis holds: the newest ones of the sets that were written to it, and where a newer set differs."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow.parquet as pq

from features.asof import StoredRows
from features.columns import KEYS, ONLINE, Dtype, Value, columns_of, entity_of
from features.contracts import DUCKDB_TYPES

if TYPE_CHECKING:
    import duckdb

_BATCH = 1_000
_EMPTY: dict[Dtype, str] = {name: f"CAST(NULL AS {kind})" for name, kind in DUCKDB_TYPES.items()}


class Images:
    """The folder of the kept rows: one folder per set, with its name and one file per model."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, published: Path) -> Path:
        """Keep the newest row of every entity of a published set."""
        kept = self._folder / published.name
        if not kept.exists():
            partial = self._folder / f".{uuid4().hex}"
            partial.mkdir(parents=True)
            for model in ONLINE:
                newest = published / "newest" / f"{model}.parquet"
                if newest.exists():
                    shutil.copyfile(newest, partial / newest.name)
                else:  # a set of an earlier release
                    pq.write_table(StoredRows.read_newest(published, [model]).tables[model], partial / newest.name)
            partial.rename(kept)
        return kept

    def find(self, names: Sequence[str]) -> list[Path] | None:
        """The kept sets of these names; None when one is not there."""
        found = [self._folder / name for name in names]
        return found if found and all(path.is_dir() for path in found) else None

    def forget_all_but(self, name: str) -> None:
        """Remove every set but one, and what a killed process left."""
        for path in self._folder.iterdir():
            if path.name != name:
                shutil.rmtree(path)


@dataclass(frozen=True)
class Difference:
    """What a newer set changes in one model: rows that are new or different, and ids that are gone.

    `total`: rows of the newer set. `rows` come in batches of (id, values by column), None where nothing is stored.
    """

    model: str
    total: int
    rows: Iterator[list[tuple[str, dict[str, Value | None]]]]
    gone: list[str]


def difference(con: "duckdb.DuckDBPyConnection", model: str, newer: Path, older: Sequence[Path]) -> Difference:
    """The newest rows of `newer` that any of the older sets has not or has with other values; all without older ones.

    Event and creation time are no values: they move with every build. Reading `rows` needs the connection.
    """
    columns = [column.name for column in columns_of(model)]
    total = _rows_of(con, "newer", model, newer)
    changed, gone = ["SELECT * FROM newer WHERE false"], ["SELECT id FROM newer WHERE false"]
    for number, folder in enumerate(older):
        _rows_of(con, f"older{number}", model, folder)
        changed.append(f"(SELECT * FROM newer EXCEPT SELECT * FROM older{number})")
        gone.append(f"(SELECT id FROM older{number} EXCEPT SELECT id FROM newer)")
    lost = [str(row[0]) for row in con.execute(" UNION ".join(gone)).fetchall()]
    query = " UNION ".join(changed) if older else "SELECT * FROM newer"
    return Difference(model, total, _batches(con.execute(query), columns), lost)


def _rows_of(con: "duckdb.DuckDBPyConnection", name: str, model: str, folder: Path) -> int:
    """A temporary table of the kept rows: `id`, then the columns of the list; returns their number."""
    path = str(folder / f"{model}.parquet").replace("'", "''")
    held = set(pq.read_schema(folder / f"{model}.parquet").names)
    columns = ", ".join(
        f'"{column.name}"' if column.name in held else f'{_EMPTY[column.dtype]} AS "{column.name}"'
        for column in columns_of(model)
    )
    key = KEYS[entity_of(model)]
    made = con.execute(
        f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT CAST({key} AS VARCHAR) AS id, {columns}"
        f" FROM read_parquet('{path}')"
    ).fetchone()
    return int(made[0]) if made else 0


def _batches(
    found: "duckdb.DuckDBPyConnection", columns: Sequence[str]
) -> Iterator[list[tuple[str, dict[str, Value | None]]]]:
    while rows := found.fetchmany(_BATCH):
        yield [(str(key), dict(zip(columns, values, strict=True))) for key, *values in rows]
