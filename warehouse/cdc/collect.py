"""Stream messages into batches. Depends on transactions and relations, not on sockets or the lake."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from warehouse.cdc.batch import Batch, Group
from warehouse.cdc.columns import Layout, SchemaMismatch, match_layout
from warehouse.cdc.pgoutput import ROW_KINDS, ProtocolError, Relation, Truncate, begun, committed, parse
from warehouse.contract import Table
from warehouse.failpoints import hit
from warehouse.logs import get_logger

log = get_logger(__name__)
_BEGIN, _COMMIT = ord("B"), ord("C")


@dataclass(frozen=True)
class Origin:
    """The relation that a table's rows come from. Up to `read_at` the table was read whole, whatever relation had its
    name before."""

    oid: int
    read_at: int


class Collector:
    """Fed one message at a time; `take` hands over the batch at a transaction boundary.

    `position` is the end LSN of the last whole transaction seen. `on_mismatch` is called when a relation does not fit
    and returns a newer table definition; None means there is none and the table stops. `origins`: rows of a relation
    with the name of a table and another oid are not the table's.
    """

    def __init__(
        self,
        tables: Mapping[str, Table],
        position: int,
        spool: Path,
        spill_bytes: int,
        *,
        on_mismatch: Callable[[Relation], Table | None] = lambda _: None,
        origins: Mapping[str, Origin] | None = None,
    ) -> None:
        self.position = position
        self.open = False
        self.batch = Batch()
        self._tables = dict(tables)
        self._layouts: dict[int, Layout | None] = {}
        self._spool, self._spill_bytes = spool, spill_bytes
        self._on_mismatch = on_mismatch
        self._origins = origins or {}
        self._owners = {origin.oid: name for name, origin in self._origins.items()}
        self._commit_at = 0
        self._spills = 0
        shutil.rmtree(spool, ignore_errors=True)  # spill files of a killed process: their rows are received again

    def feed(self, payload: bytes) -> bool:
        """Take in one message; True when it ended a transaction. Raises ProtocolError."""
        kind = payload[0]
        batch = self.batch
        if kind in ROW_KINDS:
            group = batch.groups.get(payload[1:5])
            if group is None:
                group = self._group(payload[1:5])
            if group is not None:
                group.payloads.append(payload)
                group.seqs.append(batch.seq)
                batch.bytes += len(payload)
                if batch.bytes > self._spill_bytes:
                    self._spill()
            batch.seq += 1
            return False
        if kind == _COMMIT:
            self._commit(payload)
            return True
        if kind == _BEGIN:
            self._begin(payload)
        else:
            self._control(parse(payload), payload)
        return False

    def take(self) -> Batch:
        """The collected whole transactions; a new batch begins. Only between transactions."""
        if self.open:
            raise ProtocolError("a batch was taken inside a transaction")
        done, self.batch = self.batch, Batch()
        return done

    def skip_to(self, lsn: int, at: datetime) -> bool:
        """The server has nothing for us up to `lsn`; whether that is a new position. Only between transactions."""
        if self.open or lsn <= self.position:
            return False
        self.batch.lsn = self.position = lsn
        self.batch.moved_at = at
        return True

    def stop(self, table: str, error: str) -> None:
        """Take no more rows of this table; it stays exact at the transaction before this one."""
        log.error("table stopped", table=table, after=self.position, error=str(error))
        self.batch.stopped[table] = (self.position, error)
        for oid, layout in self._layouts.items():
            if layout is not None and layout.table.name == table:
                self._layouts[oid] = None
                self._retire(oid.to_bytes(4, "big"))

    def _begin(self, payload: bytes) -> None:
        if self.open:
            raise ProtocolError("a transaction began inside a transaction")
        self._commit_at, micros = begun(payload)
        self.open = True
        self.batch.moved_at = None
        self.batch.transactions.first_seq.append(self.batch.seq)
        self.batch.transactions.commit_micros.append(micros)

    def _control(self, message: object, payload: bytes) -> None:
        if isinstance(message, Relation):
            self._relation(message, payload[1:5])
        elif isinstance(message, Truncate):
            for oid in message.oids:
                group = self._group(oid.to_bytes(4, "big"))
                if group is not None:
                    group.truncate(self.batch.seq)
            self.batch.seq += 1

    def _commit(self, payload: bytes) -> None:
        if not self.open:
            raise ProtocolError("a commit without a transaction")
        end_lsn = committed(payload)
        self.open = False
        self.batch.transactions.end_lsn.append(end_lsn)
        self.batch.lsn = self.position = end_lsn

    def _group(self, key: bytes) -> Group | None:
        known = self.batch.groups.get(key)
        if known is not None:
            return known
        oid = int.from_bytes(key, "big")
        if oid not in self._layouts:
            raise ProtocolError(f"rows of relation {oid} before its description")
        layout = self._layouts[oid]
        if layout is None:
            return None
        return self.batch.groups.setdefault(key, Group(layout))

    def _relation(self, relation: Relation, key: bytes) -> None:
        known = self._layouts.get(relation.oid)
        if known is not None and known.relation == relation:
            return
        self._retire(key)
        self._layouts[relation.oid] = self._match(relation)

    def _retire(self, key: bytes) -> None:
        """No more rows go into this relation's group; those it has stay in the batch."""
        group = self.batch.groups.pop(key, None)
        if group is not None:
            group.seal()
            self.batch.retired.append(group)

    def _match(self, relation: Relation) -> Layout | None:
        owner = self._owners.get(relation.oid)
        if owner is not None and (relation.namespace, relation.name) != ("public", owner):
            if self._commit_at >= self._origins[owner].read_at:
                called = f"{relation.namespace}.{relation.name}"
                self.stop(owner, f"table {owner}: Postgres called it {called} while its rows changed; it is read again")
            return None
        if relation.namespace != "public":
            log.warning("rows of a table outside schema public are ignored", table=relation.name, of=relation.namespace)
            return None
        table = self._tables.get(relation.name)
        problem = f"table {relation.name}: published by Postgres but not in the contract"
        origin = self._origins.get(relation.name)
        if origin is not None and origin.oid != relation.oid:
            if self._commit_at >= origin.read_at:
                self.stop(relation.name, f"table {relation.name}: another table has this name; it is read again")
            return None
        if table is not None:
            try:
                return match_layout(table, relation)
            except SchemaMismatch as error:
                problem = str(error)
        newer = self._on_mismatch(relation)
        if newer is not None:
            self._tables[newer.name] = newer
            return match_layout(newer, relation)
        self.stop(relation.name, problem)
        return None

    def _spill(self) -> None:
        for group in self.batch.groups.values():
            group.spill(self._spool, str(self._spills))
            self._spills += 1
        self.batch.bytes = 0
        hit("cdc.spill_mid")
