"""What this process sends to Postgres, seen at the connection that sends it."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Executable

from api.kernel import plan
from api.kernel.connection import Answer, Connection
from api.kernel.plan import Bound, Call, Values

_CONTROL = {"BEGIN", "COMMIT", "ROLLBACK", "DEALLOCATE"}


@dataclass
class Wire:
    """`trips`: the statements of each round trip. Values stand in a text by name, as `%(name)s`.

    `built`: the statements that were not there before their call and had to be compiled or looked up by structure.
    """

    trips: list[list[str]] = field(default_factory=list)
    built: list[str] = field(default_factory=list)

    @property
    def statements(self) -> list[str]:
        """All of them in their order, without those that only begin or end a transaction."""
        return [sql for trip in self.trips for sql in trip if sql.split()[0] not in _CONTROL]


@contextmanager
def watched_wire(before: Callable[[str], None] | None = None) -> Iterator[Wire]:
    """Every statement of this process goes through the list while the block runs, first through `before`."""
    wire = Wire()
    names: dict[bytes, Sequence[str]] = {}
    call, send, by_structure = Bound.call, Connection.send, plan.by_structure

    def watched_by_structure(statement: Executable) -> Bound:
        wire.built.append(str(statement))
        return by_structure(statement)

    def named_call(bound: Bound, given: Values | None) -> Call:
        made = call(bound, given)
        names[made.sql] = bound.plan.positions if bound.plan.expands is None else ()
        return made

    async def watched_send(connection: Connection, calls: Sequence[Call]) -> list[Answer]:
        trip = [_named(one.sql.decode(), names.get(one.sql, ())) for one in calls]
        for sql in trip:
            if before is not None and sql.split()[0] not in _CONTROL:
                before(sql)
        wire.trips.append(trip)
        return await send(connection, calls)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "by_structure", watched_by_structure)
        patch.setattr(Bound, "call", named_call)
        patch.setattr(Connection, "send", watched_send)
        yield wire


@contextmanager
def rewritten_wire(pattern: str, by: str) -> Iterator[None]:
    """Every statement goes to the server with `by` where the pattern matches its text or a text among its values."""
    matched = 0
    call = Bound.call

    def swap(text: str) -> str:
        nonlocal matched
        changed, count = re.subn(pattern, by, text)
        matched += count
        return changed

    def rewritten(bound: Bound, given: Values | None) -> Call:
        made = call(bound, given)
        values = [swap(value) if isinstance(value, str) else value for value in made.values]
        return made._replace(sql=swap(made.sql.decode()).encode(), values=values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bound, "call", rewritten)
        yield
    assert matched > 0, f"no statement has {pattern}"


def _named(sql: str, names: Sequence[str]) -> str:
    return re.sub(r"\$(\d+)", lambda place: f"%({names[int(place[1]) - 1]})s", sql) if names else sql
