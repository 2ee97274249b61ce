"""Random mixed transactions on the tables of `tests.harness.cdc`.

The key space is small, so that every kind of change follows every other on the same row.
"""

import random
import threading

import psycopg

_KEYS = 60


def key(number: int) -> str:
    """The n-th row id."""
    return f"{number:08x}-0000-7000-8000-{number:012x}"


def _text(rng: random.Random) -> str:
    size = rng.choice((0, 5, 40, 3000, 9000))
    return "".join(rng.choices("abcdefghijklmnop ü€'\"\\\n\t,", k=size))


class Workload:
    """A seeded workload. `run` makes whole transactions on one connection.

    Failed ones (locks, duplicate keys) are rolled back.
    """

    def __init__(self, url: str, seed: int) -> None:
        self.rng = random.Random(seed)
        self._connection = psycopg.connect(url)
        self._connection.execute("set lock_timeout = '500ms'")
        self._connection.commit()
        self.committed = 0

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def run(self, transactions: int, *, stop: threading.Event | None = None) -> None:
        """Make `transactions` transactions, or fewer when `stop` is set."""
        for _ in range(transactions):
            if stop is not None and stop.is_set():
                return
            self.one()

    def one(self) -> None:
        """Make one transaction of one to seven statements, sometimes in a savepoint, sometimes rolled back."""
        try:
            with self._connection.transaction(force_rollback=self.rng.random() < 0.07):
                for _ in range(self.rng.randint(1, 7)):
                    if self.rng.random() < 0.25:
                        with self._connection.transaction(force_rollback=self.rng.random() < 0.5):
                            self._statement()
                            self._statement()
                    else:
                        self._statement()
            self.committed += 1
        except (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable):
            self._connection.rollback()

    def _statement(self) -> None:
        rng = self.rng
        one, other = key(rng.randrange(_KEYS)), key(rng.randrange(_KEYS))
        choice = rng.choices(range(11), weights=(14, 10, 6, 6, 5, 10, 6, 4, 12, 5, 1))[0]
        run = self._connection.execute
        match choice:
            case 0:
                values = (
                    one,
                    _text(rng),
                    rng.randrange(-9, 9),
                    rng.randrange(2**60),
                    rng.random() < 0.5,
                    rng.randrange(10**9) / 100,
                )
                run(
                    "insert into things values"
                    " (%s,%s,%s,%s,%s,%s::numeric(12,2),random(),clock_timestamp(),current_date,%s::jsonb,%s) on"
                    " conflict (thing_id) do nothing",
                    (*values, '{"a": [1, "ü", null]}', _text(rng)),
                )
            case 1:
                run("update things set qty = qty + 1, seen_at = clock_timestamp() where thing_id = %s", (one,))
            case 2:
                run("update things set body = %s where thing_id = %s", (_text(rng), one))
            case 3:
                run("delete from things where thing_id = %s", (one,))
            case 4:
                run(
                    "update things set thing_id = %s where thing_id = %s and not exists (select from things where"
                    " thing_id = %s)",
                    (other, one, other),
                )
            case 5:
                run(
                    "insert into pairs values (%s, %s, %s, random() * 1000, 's') on conflict do nothing",
                    (one, rng.randrange(3), _text(rng)[:50]),
                )
            case 6:
                run("update pairs set b = b + 3, note = null where a = %s and b < 3", (one,))
            case 7:
                run("delete from pairs where a = %s", (one,))
            case 8:
                run(
                    "insert into lines (thing_id, quantity) select %s, i from generate_series(1, %s) i",
                    (one, rng.choice((1, 3, 50))),
                )
            case 9:
                run("delete from lines where line_id %% 7 = %s", (rng.randrange(7),))
            case _:
                run("truncate lines" if rng.random() < 0.5 else "update lines set quantity = quantity + 1")
