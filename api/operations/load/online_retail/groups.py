"""Derives categories and sellers for a set that has neither; the same set gives the same ones.

Categories: a title's head noun is the last of its candidate words that at least `support` items share (Bag, Candle,
Mug). Items whose head noun is preceded by the same word form a second level (Lunch Bag below Bag) when there are enough
of them. An item that shares no word is in Other.
Sellers: one per hundred items, 5 to 40. Categories are assigned, largest trade first, to the seller with the least
trade so far, and a category too large for one seller is divided by its second level. So each seller has a few complete
categories and a similar share of the trade.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from api.operations.load.online_retail.titles import candidates

OTHER = "Other"
_SUFFIXES = ("House", "Company", "Emporium", "Traders", "& Co", "Studio", "Market", "Makers", "Gallery", "Corner")


@dataclass(frozen=True)
class Item:
    """A product of the set; `trade` is its number of order lines."""

    item_id: str
    title: str
    trade: int


@dataclass(frozen=True)
class Groups:
    """`path_of`: item -> (category, subcategory or None); `seller_of`: item -> index into `seller_names`."""

    path_of: dict[str, tuple[str, str | None]]
    seller_of: dict[str, int]
    seller_names: list[str]

    def categories(self) -> Iterable[tuple[str, str | None]]:
        """Every category and subcategory once, parents first."""
        paths = sorted(set(self.path_of.values()), key=lambda path: (path[0], path[1] or ""))
        yield from sorted({(top, None) for top, _ in paths}, key=lambda path: path[0])
        yield from (path for path in paths if path[1] is not None)


def group(items: list[Item]) -> Groups:
    """Deterministic in the items, whatever their order."""
    items = sorted(items, key=lambda item: item.item_id)
    path_of = _paths(items)
    count = max(1, min(40, len(items), max(5, len(items) // 100)))
    seller_of = _deal(items, path_of, count)
    return Groups(path_of, seller_of, _names(items, path_of, seller_of, count))


def _paths(items: list[Item]) -> dict[str, tuple[str, str | None]]:
    words = {item.item_id: candidates(item.title) for item in items}
    shared = Counter(word for found in words.values() for word in set(found))
    support = max(3, len(items) // 400)
    head: dict[str, tuple[str, str] | None] = {}
    for item_id, found in words.items():
        place = next((i for i in reversed(range(len(found))) if shared[found[i]] >= support), None)
        head[item_id] = None if place is None else (found[place], found[place - 1] if place else "")
    pairs = Counter(pair for pair in head.values() if pair)
    paths: dict[str, tuple[str, str | None]] = {}
    for item_id, pair in head.items():
        if pair is None:
            paths[item_id] = (OTHER, None)
            continue
        top = pair[0].capitalize()
        paths[item_id] = (
            top,
            f"{pair[1].capitalize()} {top}" if pair[1] and pairs[pair] >= max(3, support // 2) else None,
        )
    return paths


def _deal(items: list[Item], path_of: dict[str, tuple[str, str | None]], count: int) -> dict[str, int]:
    tops: defaultdict[str, int] = defaultdict(int)
    for item in items:
        tops[path_of[item.item_id][0]] += item.trade + 1
    average = sum(tops.values()) / count
    # A group is assigned to one seller as a whole: a category, or a subcategory of one that is too large.
    group_of = {item.item_id: _group_name(path_of[item.item_id], item.item_id, tops, average) for item in items}
    weight: defaultdict[tuple[str, str], int] = defaultdict(int)
    for item in items:
        weight[group_of[item.item_id]] += item.trade + 1
    load = [0] * count
    seller_of_group = {}
    for name, trade in sorted(weight.items(), key=lambda entry: (-entry[1], entry[0])):
        seller = min(range(count), key=lambda index: (load[index], index))
        seller_of_group[name] = seller
        load[seller] += trade
    return {item_id: seller_of_group[name] for item_id, name in group_of.items()}


def _group_name(path: tuple[str, str | None], item_id: str, tops: dict[str, int], average: float) -> tuple[str, str]:
    if tops[path[0]] <= average:
        return (path[0], "")
    # A large category without subcategories is divided by the last character of
    # the code, which is unrelated to the item.
    return (path[0], path[1] or f"~{item_id[-1]}")


def _names(
    items: list[Item], path_of: dict[str, tuple[str, str | None]], seller_of: dict[str, int], count: int
) -> list[str]:
    """Each seller's name, from the category with the most trade; a name that is taken gets another ending."""
    trade: list[Counter[str]] = [Counter() for _ in range(count)]
    for item in items:
        trade[seller_of[item.item_id]][path_of[item.item_id][0]] += item.trade + 1
    names: list[str] = []
    for index, counter in enumerate(trade):
        named = {name: amount for name, amount in counter.items() if name != OTHER} or {"Curiosity": 1}
        main = min(named.items(), key=lambda entry: (-entry[1], entry[0]))[0]
        choices = [
            f"{main} {suffix}" for suffix in _SUFFIXES[index % len(_SUFFIXES) :] + _SUFFIXES[: index % len(_SUFFIXES)]
        ]
        names.append(next((name for name in choices if name not in names), f"{main} {index + 1}"))
    return names
