"""Where each entity's rows lie in a table of stored rows, oldest first. Numbers of rows only: no values are copied.

Array suffixes: R rows, E entities.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP

Ints = npt.NDArray[np.int64]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENCODED = pa.dictionary(pa.int32(), pa.string())


class EntityRuns:
    """The rows of a table ordered by entity, event time and creation time: one run of rows per entity.

    An entity's row at an instant is the last one of its run that is not later.
    """

    def __init__(self, table: pa.Table, key: str) -> None:
        """table: has the columns of `columns(key)`, rows in any order."""
        keys = _encoded(table[key])
        codes_R = keys.indices.to_numpy().astype(np.int64)
        events_R = _microseconds(table[EVENT_TIMESTAMP])
        if _ascending(codes_R, events_R):  # the published files are
            self._rows_R = np.arange(codes_R.size)
        else:
            self._rows_R = np.lexsort((_microseconds(table[CREATED_TIMESTAMP]), events_R, codes_R))
            codes_R, events_R = codes_R[self._rows_R], events_R[self._rows_R]
        self._events_R = events_R
        self._starts_E: Ints = np.flatnonzero(np.diff(codes_R, prepend=-1))
        self._ids_E: pa.Array = keys.dictionary.take(pa.array(codes_R[self._starts_E]))

    @staticmethod
    def columns(key: str) -> list[str]:
        """The columns that decide which row of an entity is read."""
        return [key, EVENT_TIMESTAMP, CREATED_TIMESTAMP]

    def newest(self, at: datetime | None = None) -> Ints:
        """Row number of every entity's newest row at or before `at`, or of all when `at` is None; -1 where none is."""
        if not self._starts_E.size:
            return np.empty(0, dtype=np.int64)
        if at is None:
            last_E = np.append(self._starts_E[1:], self._rows_R.size) - 1
            return self._rows_R[last_E]
        known_R = (self._events_R <= (at - _EPOCH) // timedelta(microseconds=1)).astype(np.int64)
        known_E = np.add.reduceat(known_R, self._starts_E)
        return np.where(known_E > 0, self._rows_R[self._starts_E + known_E - 1], -1)

    def rows_of(self, ids: Sequence[str], at: datetime | None = None) -> pa.Array:
        """Row number of each id's newest row at or before `at`; null for an id without one."""
        entities = pc.index_in(pa.array(ids, type=pa.string()), value_set=self._ids_E)
        rows = pa.array(self.newest(at)).take(entities)
        return pc.if_else(pc.less(rows, 0), pa.scalar(None, pa.int64()), rows)


def _encoded(keys: pa.ChunkedArray) -> pa.DictionaryArray:
    """Keys as numbers of one dictionary of texts."""
    if keys.type != _ENCODED:
        keys = keys.cast(pa.string()).dictionary_encode()
    return keys.unify_dictionaries().combine_chunks()


def _microseconds(times: pa.ChunkedArray) -> Ints:
    """Microseconds since 1970-01-01 UTC; a time without a zone is one in UTC."""
    return times.cast(pa.timestamp("us", tz=times.type.tz), safe=False).cast(pa.int64()).to_numpy()


def _ascending(codes_R: Ints, events_R: Ints) -> bool:
    """Whether rows are ordered by code and, within one code, strictly by event."""
    codes, events = np.diff(codes_R), np.diff(events_R)
    return bool(np.all((codes > 0) | ((codes == 0) & (events > 0))))
