"""The lag is measured at the server: a stream that hangs, or a server that is silent, never looks current."""

from warehouse.cdc.lag import Lag
from warehouse.cdc.watch import SlotReport


def seconds(lag: Lag, now: float, reached: int) -> float | None:
    lag.reach(reached)
    return lag.seconds(now)


def test_a_lake_that_has_reached_the_newest_sample_has_no_lag() -> None:
    lag = Lag()
    assert seconds(lag, 0.0, 0) is None, "not known before the server was asked"
    lag.sample(10.0, 100)
    assert seconds(lag, 10.5, 100) == 0.0
    assert lag.bytes == 0
    lag.sample(11.0, 130)
    assert lag.bytes == 30


def test_the_lag_is_the_age_of_the_oldest_sample_not_reached() -> None:
    lag = Lag()
    for second, lsn in ((0.0, 100), (1.0, 200), (2.0, 200), (3.0, 300)):
        lag.sample(second, lsn)
    assert seconds(lag, 4.0, 100) == 3.0
    assert seconds(lag, 4.0, 200) == 1.0
    assert seconds(lag, 4.0, 300) == 0.0


def test_a_frozen_stream_lags_more_every_second() -> None:
    lag = Lag()
    lag.sample(0.0, 100)
    for second in range(1, 26):
        lag.sample(float(second), 100 + second)
    assert seconds(lag, 25.0, 100) == 24.0


def test_a_server_that_does_not_answer_is_no_proof_of_being_current() -> None:
    lag = Lag()
    lag.sample(0.0, 100)
    assert seconds(lag, 1.9, 100) == 0.0
    assert seconds(lag, 30.0, 100) == 30.0


def test_many_samples_keep_the_oldest() -> None:
    lag = Lag()
    for number in range(5_000):
        lag.sample(float(number), number + 1)
    assert seconds(lag, 5_000.0, 0) == 5_000.0
    assert seconds(lag, 5_000.0, 5_000) == 0.0


def slot(retained: int | None, safe: int | None, wal_status: str = "reserved") -> SlotReport:
    return SlotReport("0/1", active=True, wal_status=wal_status, retained_bytes=retained, safe_bytes=safe)


def test_the_slot_alerts_at_a_quarter_a_half_and_three_quarters_of_its_limit() -> None:
    assert slot(24, 76).alert is None
    assert slot(25, 75).alert == "the slot holds back 25.0 % of max_slot_wal_keep_size (alert at 25 %)"
    assert slot(60, 40).alert == "the slot holds back 60.0 % of max_slot_wal_keep_size (alert at 50 %)"
    assert slot(80, 20).alert == "the slot holds back 80.0 % of max_slot_wal_keep_size (alert at 75 %)"
    assert slot(80, None).alert is None, "no limit"
    lost = slot(100, -5, "unreserved").alert
    assert lost == "the slot's log is unreserved: the next start may copy every table again"
