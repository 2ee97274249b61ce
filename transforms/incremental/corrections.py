"""What changes a seller's closed day, cancellations apart: a correction, published with the change.

A UTC day is closed when marts were published at a watermark after it. What it closed with, `net_sales -
restated_sales`, stays the same from one publication to the next: the difference goes into `build.corrections`, and so
into the day's restatements.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date
from pathlib import Path

import duckdb

from transforms.incremental.changes import Delta, create
from transforms.publish import connect
from warehouse.lake.read import literal

CREATE = (
    "CREATE TABLE build.corrections (seller_id VARCHAR, order_date DATE, currency VARCHAR, corrected_on DATE,"
    " cause VARCHAR, amount DECIMAL(18, 2))"
)
CORRECTED, REDEFINED = "corrected", "redefined"
# The catalog of what was published before: the marts themselves, or the state that they were published from.
PREVIOUS = "previous"
_DAYS, _RESTATEMENTS = "main.mart_seller__sales_day", "main.mart_seller__restatement"
_WITHHELD = "main.mart_withheld"
_DAY = "seller_id, order_date, currency"
# Restatements of an earlier release have no cause: all of them are cancellations.
KNOWN = (
    f"SELECT {_DAY}, restated_on AS corrected_on, cause, amount FROM (FROM {PREVIOUS}.{_RESTATEMENTS}"
    " UNION ALL BY NAME SELECT NULL::VARCHAR AS cause WHERE false) WHERE cause <> 'cancelled'"
)
"""A SELECT of the corrections that `previous` has."""
WITH_NEW = (
    f"SELECT {_DAY}, corrected_on, cause, sum(amount)::DECIMAL(18, 2) AS amount FROM"
    " (FROM build.corrections UNION ALL BY NAME FROM corrected) GROUP BY ALL"
)
"""A SELECT of all corrections with those that `note` found."""
_NO_ORDER = "SELECT NULL::VARCHAR AS order_id, NULL::VARCHAR AS seller_id, NULL::VARCHAR AS cause WHERE false"


def correct_as_published(private: Path, published: Path, source: str) -> None:
    """Give a private file the corrections of the published marts, when they are of the same Postgres history."""
    with connect(private) as con, attached(con, published, source) as found:
        if found:
            con.execute(f"INSERT INTO build.corrections {KNOWN}")


@contextmanager
def attached(con: duckdb.DuckDBPyConnection, file: Path, source: str, otherwise: str | None = None) -> Iterator[bool]:
    """The marts of a file, published or a state, as the catalog `previous`; whether they can be read and are of this
    Postgres history.

    `otherwise`: the history of a file that names none, as those of earlier releases.
    """
    if not (file.exists() and _attach(con, file)):
        yield False
        return
    try:
        named = _source(con)
        yield _is_readable(con) and (otherwise if named is None else named) == source
    finally:
        con.execute(f"DETACH {PREVIOUS}")


def _attach(con: duckdb.DuckDBPyConnection, file: Path) -> bool:
    try:
        con.execute(f"ATTACH {literal(str(file))} AS {PREVIOUS} (READ_ONLY)")
    except duckdb.Error:  # damaged: a build replaces it
        return False
    return True


def _is_readable(con: duckdb.DuckDBPyConnection) -> bool:
    try:
        for query in (
            f"{KNOWN} LIMIT 0",
            f"SELECT {_DAY}, net_sales, restated_sales FROM {PREVIOUS}.{_DAYS} LIMIT 0",
            f"SELECT kind, key, seller_id FROM {PREVIOUS}.{_WITHHELD} LIMIT 0",
        ):
            con.execute(query)
    except duckdb.Error:
        return False
    return True


def _source(con: duckdb.DuckDBPyConnection) -> str | None:
    """Which Postgres history the attached file is of; published marts name it, and a state does."""
    for relation in ("changed.state", "refresh.position"):
        try:
            row = con.execute(f"SELECT source FROM {PREVIOUS}.{relation}").fetchone()
        except duckdb.Error:
            continue
        return str(row[0]) if row else None
    return None


def open_day(con: duckdb.DuckDBPyConnection, watermark: str = "build.watermark") -> date:
    """The UTC day that is not over at a watermark, the state's or that of another relation."""
    row = con.execute(f"SELECT as_of FROM {watermark}").fetchone()
    assert row is not None, "marts and state have one watermark"
    day: date = row[0].astimezone(UTC).date()
    return day


def note_refresh(con: duckdb.DuckDBPyConnection, deltas: Mapping[str, Delta], closed: date) -> bool:
    """Find the corrections of a refresh that has recomputed the models: whether there are any.

    `closed`: the open day before it. Days before that day were closed.
    """
    days, withheld = deltas.get(_name(_DAYS)), deltas.get(_name(_WITHHELD))
    if days is None:
        return False
    old = con.execute(f"SELECT 1 FROM {days.table} WHERE order_date < DATE '{closed}' LIMIT 1").fetchone()
    if old is None:  # nearly always
        return False
    changed = f"SELECT {_DAY}, (net_sales - restated_sales) * _n AS amount FROM {days.table}"
    moved = _NO_ORDER
    if withheld is not None:
        moved = (
            "SELECT key AS order_id, seller_id, CASE WHEN sum(_n) > 0 THEN 'withheld' ELSE 'mended' END AS cause"
            f" FROM {withheld.table} WHERE kind = 'order' GROUP BY key, seller_id HAVING sum(_n) <> 0"
        )
    return _note(con, changed, moved, closed, CORRECTED)


def note_build(con: duckdb.DuckDBPyConnection, closed: date, cause: str) -> bool:
    """Find the corrections of the built marts in `con` against those of `previous`, whose corrections they have.

    `cause`: that of days without an order that was withheld or mended.
    """
    changed = (
        f"SELECT {_DAY}, net_sales - restated_sales AS amount FROM {_DAYS}"
        f" UNION ALL SELECT {_DAY}, restated_sales - net_sales FROM {PREVIOUS}.{_DAYS}"
    )
    now, before = (f"SELECT key, seller_id FROM {name} WHERE kind = 'order'" for name in _both(_WITHHELD))
    moved = (
        f"SELECT key AS order_id, seller_id, 'withheld' AS cause FROM ({now} EXCEPT {before})"
        f" UNION ALL SELECT key, seller_id, 'mended' FROM ({before} EXCEPT {now})"
    )
    return _note(con, changed, moved, closed, cause)


def _note(con: duckdb.DuckDBPyConnection, changed: str, moved: str, closed: date, otherwise: str) -> bool:
    """`changed`: parts of what days closed with. `moved`: orders that are withheld or mended since."""
    moved_days = (
        f"WITH moved AS ({moved}) SELECT moved.seller_id, {_utc_day('placed')} AS order_date, moved.cause FROM moved"
        f" JOIN lake.orders AS placed USING (order_id) UNION ALL SELECT paid.seller_id, {_utc_day('paid')}, moved.cause"
        " FROM moved JOIN lake.return_events AS paid USING (order_id) WHERE paid.to_status = 'refunded'"
    )
    found = create(
        con,
        "corrected",
        f"SELECT {_DAY}, greatest(DATE '{open_day(con)}', DATE '{closed}') AS corrected_on,"
        f" coalesce(moved.cause, '{otherwise}') AS cause, day.amount FROM (SELECT {_DAY}, sum(amount) AS amount FROM"
        f" ({changed}) WHERE order_date < DATE '{closed}' GROUP BY ALL HAVING sum(amount) <> 0) AS day LEFT JOIN"
        f" (SELECT seller_id, order_date, max(cause) AS cause FROM ({moved_days}) GROUP BY ALL) AS moved"
        " USING (seller_id, order_date)",
    )
    return found > 0


def _utc_day(row: str) -> str:
    return f"({row}.created_at AT TIME ZONE 'UTC')::DATE"


def _both(mart: str) -> tuple[str, str]:
    return mart, f"{PREVIOUS}.{mart}"


def _name(mart: str) -> str:
    return mart.rpartition(".")[2]
