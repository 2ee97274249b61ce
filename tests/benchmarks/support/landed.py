"""What a behaviour event takes in the lake: views of guests with ids of their browsers, as the shop's API sends them to
the stream."""

import random
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote
from uuid import UUID

from deltalake import DeltaTable

from tests.benchmarks.support.buyers import Goods, popular
from warehouse.events.entries import Entry
from warehouse.events.landing import Landing

BATCH, BATCHES = 20_000, 5  # the default of SOUK_EVENTS_FLUSH_ROWS
VIEWS_OF_A_GUEST = 5
_HORIZON = timedelta(days=30)


@dataclass(frozen=True)
class Landed:
    """Bytes of Parquet and processor microseconds for each event."""

    bytes: float
    cpu_us: float
    events: int


def land(goods: Goods, lake: Path) -> Landed:
    """Land some hundred thousand events in a lake of their own."""
    draw, began = random.Random("events"), datetime.now(UTC) - timedelta(minutes=10)
    landing = Landing(str(lake), _HORIZON)
    used = 0.0
    for number in range(BATCHES):
        entries = _entries(goods, draw, number * BATCH, began)
        before = time.process_time()
        landing.land(entries)
        used += time.process_time() - before
    files = [Path(unquote(uri.removeprefix("file://"))) for uri in DeltaTable(landing.events.table_uri).file_uris()]
    count = BATCH * BATCHES
    return Landed(sum(file.stat().st_size for file in files) / count, used / count * 1e6, count)


def _entries(goods: Goods, draw: random.Random, first: int, began: datetime) -> Sequence[Entry]:
    found: list[Entry] = []
    session = ""
    for number in range(first, first + BATCH):
        if number % VIEWS_OF_A_GUEST == 0:
            session = secrets.token_hex(16)
        at = began + timedelta(milliseconds=number)
        fields = {
            "eventId": str(UUID(int=draw.getrandbits(128), version=4)),
            "type": "view",
            "productId": popular(goods, draw),
            "sessionKey": session,
            "timeSource": "server",
            "occurredAt": at.isoformat(),
            "receivedAt": at.isoformat(),
        }
        encoded = {name.encode(): value.encode() for name, value in fields.items()}
        found.append(Entry("behaviour", number + 1, f"{number + 1}-0", at, encoded))
    return found
