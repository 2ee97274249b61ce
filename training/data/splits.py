"""Time splits, leave-one-out splits and the permutations used as controls."""

from dataclasses import dataclass, replace

import numpy as np

from training.data.cases import Cases, build_cases, ragged, user_rows
from training.data.datasets import GUEST, Events, Mask, TrainingData


@dataclass(frozen=True)
class Split:
    """The data to fit on (`train`), to choose settings on (`validation`) and to report on (`test`).

    before_test: the events that the reported model is fitted on, with the choices kept: all events before the test
    start in a time split (as in production), `train` itself in leave-one-out (the published protocol).
    """

    name: str
    train: Events
    validation: Cases
    test: Cases
    before_test: Events


def split_times(events: Events, validation_share: float = 0.2, test_share: float = 0.1) -> tuple[float, float]:
    """(validation start, test start): day borders at the quantiles of the events' times.

    They differ whenever the events cover two days.
    """
    start, end = np.quantile(np.floor(events.time), [1 - validation_share, 1 - test_share])
    return float(start), float(end if end > start else start + 1)


def time_split(data: TrainingData, *, new_only: bool = True, first_only: bool = False) -> Split:
    """Train before the validation start; validation = its users' purchases up to the test start; test = all purchases
    after it.

    Users without a line before the validation start are not cases: production answers them by popularity. A test case's
    history includes the validation weeks, as in production.
    """
    events = data.events
    start, end = data.split_times or split_times(events)
    known, later = events.time < start, events.time >= end
    middle = (events.time >= start) & (events.time < end)
    return Split(
        f"time {start:.0f}/{end:.0f}",
        events.where(known),
        build_cases(events, known, middle, start, new_only=new_only, first_only=first_only),
        build_cases(events, known | middle, later, end, new_only=new_only, first_only=first_only),
        events.where(known | middle),
    )


def leave_one_out(events: Events) -> Split:
    """Last line of every user = test, the one before = validation, the rest = train.

    Users with fewer than 3 lines are in train only.
    """
    place = np.full(len(events), 2, dtype=np.int64)
    for rows in user_rows(events).values():
        if rows.size >= 3:
            place[rows[-1]], place[rows[-2]] = 0, 1
    train = place == 2
    moment = float(events.time.max()) + 1
    fitted_on = events.where(train)
    return Split(
        "leave one out",
        fitted_on,
        build_cases(events, train, place == 1, moment),
        build_cases(events, place >= 1, place == 0, moment),
        fitted_on,
    )


def shuffled_ties(events: Events, seed: int) -> Events:
    """Every user's lines of one day in random order, one order each.

    The file's order inside a day is an artefact of sorting.
    """
    generator = np.random.default_rng(seed)
    rows = np.lexsort((generator.random(len(events)), np.floor(events.time), events.user))
    return Events(
        events.user[rows],
        events.item[rows],
        np.arange(len(events), dtype=np.int32),
        events.time[rows],
        events.quantity[rows],
    )


def sample(cases: Cases, limit: int, seed: int) -> Cases:
    """At most `limit` cases, chosen at random; all of them when fewer."""
    if len(cases) <= limit:
        return cases
    chosen = np.random.default_rng(seed).choice(len(cases), limit, replace=False)
    return cases.take(np.sort(chosen))


def basket_cases(events: Events, wanted: Mask, seed: int, limit: int, seeds_only: bool = False) -> Cases:
    """Baskets of two or more products with one random line hidden.

    The history is the rest (seeds_only: one random other line). Guests' baskets are included. The hidden line is ranked
    among all items except the shown lines.
    """
    generator = np.random.default_rng(seed)
    chosen = events.where(wanted)
    starts = (
        np.concatenate([[0], np.flatnonzero(np.diff(chosen.order)) + 1, [len(chosen)]])
        if len(chosen)
        else np.zeros(1, np.int64)
    )
    sizes = np.diff(starts)
    large = np.flatnonzero(sizes >= 2)
    if large.size > limit:
        large = np.sort(generator.choice(large, limit, replace=False))
    users, shown, ages, hidden = [], [], [], []
    for basket in large:
        items = generator.permutation(chosen.item[starts[basket] : starts[basket + 1]])
        rest = items[1:2] if seeds_only else items[1:]
        users.append(GUEST if seeds_only else chosen.user[starts[basket]])
        hidden.append(items[:1])
        shown.append(rest)
        ages.append(np.zeros(rest.size, dtype=np.int32))
    moment = float(chosen.time.min()) if len(chosen) else 0.0
    return Cases(np.array(users, dtype=np.int32), ragged(shown), ragged(ages), ragged(hidden), moment)


def last_item_only(cases: Cases) -> Cases:
    """The same cases with the newest known item as the only seed; the caller removes the whole history from the
    ranking.
    """
    lists = [cases.history.of(case)[-1:] for case in range(len(cases))]
    return replace(cases, history=ragged(lists), ages=ragged([np.zeros(part.size, dtype=np.int32) for part in lists]))
