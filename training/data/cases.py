"""Cases for evaluation and for fitting the ranker: a known history and the purchases that followed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from training.data.datasets import GUEST, Catalog, Events, Ints, Mask, Scores

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ragged:
    """Lists of item indices, one per case: case c owns values[starts[c]:starts[c + 1]]."""

    starts: Rows
    values: Ints

    def __len__(self) -> int:
        return int(self.starts.size - 1)

    def of(self, case: int) -> Ints:
        """The list of one case."""
        return self.values[self.starts[case] : self.starts[case + 1]]

    def owner(self) -> Rows:
        """Case number of every value."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def take(self, chosen: Rows) -> "Ragged":
        """The lists of some cases, in that order."""
        return ragged([self.of(int(case)) for case in chosen])


def ragged(lists: list[Ints]) -> Ragged:
    """A Ragged made of a list of arrays."""
    starts = np.concatenate([[0], np.cumsum([part.size for part in lists])]).astype(np.int64)
    values = np.concatenate(lists).astype(np.int32) if lists else np.empty(0, np.int32)
    return Ragged(starts, values)


@dataclass(frozen=True)
class Cases:
    """One row per case.

    users: user index or GUEST. history: distinct known items, oldest first; ages: orders ago of each (0 = newest
    order), aligned with it. targets: the items that followed. exclude_history: known items are removed from the
    ranking. moment: the time, in days, as of which features are read.
    """

    users: Ints
    history: Ragged
    ages: Ragged
    targets: Ragged
    moment: float
    exclude_history: bool = True

    def __len__(self) -> int:
        return len(self.history)

    def take(self, chosen: Rows) -> "Cases":
        """Some cases, in that order."""
        return Cases(
            self.users[chosen],
            self.history.take(chosen),
            self.ages.take(chosen),
            self.targets.take(chosen),
            self.moment,
            self.exclude_history,
        )

    def weights(self, decay: float, items: int) -> sparse.csr_matrix:
        """Sparse float32 [B, N]: decay ** (orders ago) at each known item."""
        data = (np.float32(decay) ** self.ages.values.astype(np.float32)).astype(np.float32)
        return sparse.csr_matrix((data, self.history.values, self.history.starts), shape=(len(self), items))


def user_rows(events: Events) -> dict[int, Rows]:
    """Row numbers of every known user's lines, oldest first."""
    order = np.argsort(events.user, kind="stable")
    users, starts = np.unique(events.user[order], return_index=True)
    parts = np.split(order, starts[1:])
    return {int(user): rows for user, rows in zip(users, parts, strict=True) if user != GUEST}


def history_of(events: Events, rows: Rows) -> tuple[Ints, Ints]:
    """Distinct items of some rows (oldest first, placed at their last purchase) and their age in orders."""
    items, orders = events.item[rows][::-1], events.order[rows][::-1]
    ages = (
        np.cumsum(np.concatenate([[0], (orders[1:] != orders[:-1]).astype(np.int32)]))
        if rows.size
        else np.empty(0, np.int64)
    )
    _, first = np.unique(items, return_index=True)
    first.sort()
    return items[first][::-1].astype(np.int32), ages[first][::-1].astype(np.int32)


def build_cases(
    events: Events, known: Mask, wanted: Mask, moment: float, *, new_only: bool = True, first_only: bool = False
) -> Cases:
    """Cases of every known user that has both known and wanted lines.

    new_only: targets that were bought before are dropped, as they are from the ranking. first_only: only the first
    wanted line.
    """
    users: list[int] = []
    histories: list[Ints] = []
    ages: list[Ints] = []
    targets: list[Ints] = []
    for user, rows in user_rows(events).items():
        past, future = rows[known[rows]], rows[wanted[rows]]
        if not past.size or not future.size:
            continue
        items, age = history_of(events, past)
        target = events.item[future][: 1 if first_only else None]
        _, first = np.unique(target, return_index=True)
        target = target[np.sort(first)]
        if new_only:
            target = target[~np.isin(target, items)]
        if target.size:
            users.append(user)
            histories.append(items)
            ages.append(age)
            targets.append(target.astype(np.int32))
    return Cases(
        np.array(users, dtype=np.int32),
        ragged(histories),
        ragged(ages),
        ragged(targets),
        moment,
        exclude_history=new_only,
    )


def masked(scores_BN: Scores, cases: Cases, catalog: Catalog) -> Scores:
    """A copy with -inf at items that may not be shown: non-products and, with `exclude_history`, the known items."""
    scores = np.array(scores_BN, dtype=np.float32)
    scores[:, ~catalog.recommendable] = -np.inf
    if cases.exclude_history:
        scores[cases.history.owner(), cases.history.values] = -np.inf
    return scores
