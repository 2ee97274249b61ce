"""Random mixed transactions from two sessions at once: the lake equals Postgres, at every watermark and between
them."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.cdc import CdcLab
from tests.harness.cdc_workload import Workload
from tests.harness.postgres import PostgresHarness
from warehouse.comparison import verify_against_itself
from warehouse.lake.lsn import parse_lsn
from warehouse.lake.read import watermark_at, watermarks


@pytest.fixture
def lab(postgres_server: PostgresHarness, tmp_path: Path) -> Iterator[CdcLab]:
    """A lake that folds and compacts every few commits and spills transactions above 30 kB."""
    lab = CdcLab(postgres_server, tmp_path)
    lab.start_thread(
        SOUK_CDC_SPILL_BYTES="30000", SOUK_CDC_FOLD_FILES="4", SOUK_CDC_FOLD_SECONDS="1", SOUK_CDC_FOLD_ROWS="20"
    )
    lab.wait_watermark()
    yield lab
    lab.close()


def mixed(lab: CdcLab, seed: int, transactions: int) -> int:
    """Two sessions, each with its own seed; returns how many transactions were committed."""
    sessions = [Workload(lab.url, 2 * seed), Workload(lab.url, 2 * seed + 1)]
    threads = [threading.Thread(target=session.run, args=(transactions,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for session in sessions:
        session.close()
    return sum(session.committed for session in sessions)


def check(lab: CdcLab, seed: int, rounds: int, transactions: int) -> None:
    """Load and compare in turns, then look back: each earlier comparison's LSN must still hold on the lake's own
    evidence."""
    lsns = []
    for number in range(rounds):
        assert mixed(lab, seed * 100 + number, transactions) > 0
        lab.assert_exact()
        lsns.append(lab.watermark().lsn)
    for lsn in lsns:
        assert verify_against_itself(lab.lake, lab.contract, lsn).clean
    told = parse_lsn(str(lab.status()["lsn"]))  # before the marks: a heartbeat may move both on at any moment
    marks = watermarks(lab.lake)
    assert [mark.lsn for mark in marks] == sorted({mark.lsn for mark in marks}), "the lake's LSN only grows"
    between = (marks[-2].lsn + marks[-1].lsn) // 2
    assert watermark_at(lab.lake, between).lsn == between
    assert verify_against_itself(lab.lake, lab.contract, between).clean
    assert told <= marks[-1].lsn
    assert any(version.folded_lsn > marks[0].lsn for version in marks[-1].versions.values()), (
        "no fold happened: the test proves less"
    )


def test_random_transactions(lab: CdcLab) -> None:
    check(lab, seed=1, rounds=3, transactions=40)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2, 12))
def test_many_random_transactions(lab: CdcLab, seed: int) -> None:
    check(lab, seed, rounds=6, transactions=300)


def test_one_big_transaction_is_spilled_and_exact(lab: CdcLab) -> None:
    lab.execute(
        "begin; insert into lines (quantity) select i from generate_series(1, 40000) i; update lines set quantity ="
        " -quantity where line_id % 3 = 0; delete from lines where line_id % 5 = 0; insert into pairs select"
        " gen_random_uuid(), i, 'x', 1, 's' from generate_series(1, 5000) i; truncate pairs; insert into pairs select"
        " gen_random_uuid(), i, 'y', 2, 's' from generate_series(1, 2000) i; commit"
    )
    lab.assert_exact()
    assert list((lab.home / "spool" / "cdc").glob("*")) == []
