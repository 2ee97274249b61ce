"""What holds over two tables of the source in every transaction holds at every watermark that a reader ever sees."""

import random
import threading
import time
from itertools import pairwise
from pathlib import Path

import duckdb
import psycopg

from tests.harness.cdc import CdcLab
from tests.harness.postgres import PostgresHarness
from warehouse.lake.read import attach, connect, latest_watermark, watermark_at, watermarks
from warehouse.lake.watermark import Watermark

SECONDS = 1.0
# Each keeps sum(lines.quantity) = sum(pairs.amount).
ADD = """
with l as (insert into lines (quantity) select i from generate_series(1, 1 + (random() * 5)::int) i returning *)
insert into pairs select gen_random_uuid(), line_id, 'x', quantity, 's' from l"""
REMOVE = """
with l as (delete from lines where line_id = (select min(line_id) from lines) returning *)
insert into pairs select gen_random_uuid(), -line_id, 'gone', -quantity, 's' from l"""
CHANGE = """
update lines set quantity = quantity + 1 where line_id = (select max(line_id) from lines);
update pairs set amount = amount + 1 where b = (select max(b) from pairs) and exists (select from lines)"""
TRANSACTIONS = (ADD, REMOVE, CHANGE)


def work(url: str, ended: threading.Event) -> None:
    rng = random.Random(5)
    with psycopg.connect(url) as connection:
        while not ended.is_set():
            with connection.transaction():
                connection.execute(rng.choice(TRANSACTIONS).encode())
            time.sleep(0.005)


def sums(con: duckdb.DuckDBPyConnection, lab: CdcLab, mark: Watermark) -> tuple[object, object]:
    attach(con, lab.lake, mark)
    found = con.execute(
        "SELECT (SELECT coalesce(sum(quantity), 0) FROM lake.lines), (SELECT coalesce(sum(amount), 0) FROM lake.pairs)"
    ).fetchone()
    assert found is not None
    return found


def base_of(mark: Watermark) -> frozenset[int | None]:
    """Segments of the hot log that the watermark reads."""
    return frozenset(version.hot for version in mark.versions.values())


def test_a_sum_over_two_tables_is_the_same_at_every_watermark(postgres_server: PostgresHarness, tmp_path: Path) -> None:
    lab = CdcLab(postgres_server, tmp_path)
    ended = threading.Event()
    load = threading.Thread(target=work, args=(lab.url, ended))
    seen: list[Watermark] = []
    try:
        lab.start_thread(
            SOUK_CDC_FLUSH_SECONDS="0.02", SOUK_CDC_FOLD_SECONDS="0.3", SOUK_CDC_FOLD_FILES="3", SOUK_CDC_FOLD_ROWS="50"
        )
        lab.wait_watermark()
        load.start()
        until = time.monotonic() + SECONDS
        with connect() as con:
            while time.monotonic() < until or len({base_of(mark) for mark in seen}) < 4:
                assert time.monotonic() < until + 20, "no fold happened: the test proves less"
                mark = latest_watermark(lab.lake)
                assert mark is not None
                if not seen or mark.lsn > seen[-1].lsn:
                    lines, pairs = sums(con, lab, mark)
                    assert lines == pairs, mark
                    seen.append(mark)
            ended.set()
            load.join()
            kept = watermarks(lab.lake)
            between = [watermark_at(lab.lake, (a.lsn + b.lsn) // 2) for a, b in pairwise(kept[1:])]
            for mark in [*kept, *between, *seen]:
                lines, pairs = sums(con, lab, mark)
                assert lines == pairs, mark
    finally:
        ended.set()
        lab.close()
    assert len(kept) > 3
