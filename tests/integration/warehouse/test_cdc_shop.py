"""The shop's own contract against its own migrated database: every published table and column, through snapshot and
stream."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.harness.cdc import CdcLab
from tests.harness.postgres import PostgresHarness
from warehouse.contract import load_contract
from warehouse.lake.read import read_current
from warehouse.settings import WarehouseSettings


@pytest.fixture
def lab(postgres_server: PostgresHarness, tmp_path: Path) -> Iterator[CdcLab]:
    """The migrated schema, an empty lake, a running reader."""
    lab = CdcLab.of_shop(postgres_server, tmp_path)
    lab.start_thread()
    lab.wait_watermark()
    yield lab
    lab.close()


def test_the_publication_and_the_contract_agree(lab: CdcLab) -> None:
    lab.assert_exact()
    assert set(lab.watermark().versions) == set(load_contract(WarehouseSettings().contract_path).by_name)
    assert lab.status()["stoppedTables"] == {}


def test_secrets_never_enter_the_lake(lab: CdcLab) -> None:
    with psycopg.connect(lab.url) as connection:
        connection.execute(
            "insert into users (user_id, email, password_hash, name, user_type)"
            " values (gen_random_uuid(), 'planted@example.com', 'planted-hash', 'Planted', 'seller')"
        )
    lab.assert_exact()
    columns = read_current(lab.lake, "users", lab.watermark()).column_names
    assert not {"email", "password_hash", "name", "phone"} & set(columns)
    found = [path for path in Path(lab.lake).rglob("*") if path.is_file() and b"planted" in path.read_bytes().lower()]
    assert found == []
