"""One transaction larger than memory should hold: the process spills it and stays below its bound."""

from pathlib import Path

import pytest

from tests.harness.cdc import CdcLab
from tests.harness.postgres import PostgresHarness

BOUND = 512 * 2**20
ROWS = 1_000_000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_transaction_of_a_million_rows_fits_in_512_mb(postgres_server: PostgresHarness, tmp_path: Path) -> None:
    lab = CdcLab(postgres_server, tmp_path)
    try:
        process = lab.start()
        lab.wait_watermark()
        lab.execute(
            f"begin; insert into lines (quantity) select i from generate_series(1, {ROWS // 2}) i;"
            f" update lines set quantity = -quantity; commit"
        )
        verdict = lab.verify(seconds=300)
        assert verdict.clean, verdict
        lines = Path("/proc", str(process.pid), "status").read_text().splitlines()
        [peak] = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")]
        assert peak < BOUND, f"{peak / 2**20:.0f} MiB"
    finally:
        lab.close()
