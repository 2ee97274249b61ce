"""The rules of risk: one table that says what speaks against a product, and how much.

A product whose findings score `SOUK_APPROVAL_SCORE` or more waits for an administrator; every other one is approved at
once. What an administrator has approved of a product does not count again, until it is something else. The table is
stated in `docs/approval.md`.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from api.kernel.texts import plain

# A finding that no setting outweighs: the highest that `SOUK_APPROVAL_SCORE` may be.
ALWAYS = 1_000
NEW_STORE = timedelta(days=30)
# A price is far from the usual one when it is so many times as high, or as low.
FAR = 10
# Prices of at least so many products of others, among the newest of the category, make a usual one.
COMPARED_AT_LEAST, COMPARED_AT_MOST = 20, 200
# Departments and categories, with all below them, whose goods harm most when they are not what they seem.
RISKY_CATEGORIES = ("/Baby & Kids", "/Beauty", "/Grocery", "/Health", "/Jewelry")
RESTRICTED_WORDS = (
    "ammunition", "cocaine", "counterfeit", "explosives", "fake id", "firearm", "firearms", "grenade", "heroin",
    "ivory tusk", "knock off", "knockoff", "prescription drugs", "replica watch", "stolen goods",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules know of a product as it would be sold.

    `text`: all that its seller says of it. `lowest` and `highest`: prices of its variants; `usual`: the median price of
    the newest products of other sellers in its category, of which there are `compared`; None without any. `pictures`:
    how many it shows, or will when they are fetched. `same_thing`: another seller sells what its title, brand and
    options say. `same_picture`: another seller shows one of its pictures, or one alike, for another thing.
    `other_brand`: another seller's product with one of its GTINs is of another brand. `refused`: an administrator's
    last decision was against it.
    """

    verified: bool
    store_age: timedelta
    text: str
    category_path: str
    lowest: Decimal
    highest: Decimal
    usual: Decimal | None
    compared: int
    pictures: int
    same_thing: bool
    same_picture: bool
    other_brand: bool
    refused: bool


class Found(NamedTuple):
    """That a rule holds. `detail` fills in the rule's words. `about`: what of it; the same rule about something else is
    another finding."""

    detail: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """`words` are told to the seller, with the detail of what was found in place of `{}`."""

    name: str
    score: int
    words: str
    holds: Callable[[Facts], Found | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that holds for a product."""

    rule: str
    score: int
    words: str
    about: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """`score` is the sum of those findings that no administrator has approved. `waits`: for an administrator."""

    findings: list[Finding]
    score: int
    waits: bool


def _when(holds: bool) -> Found | None:
    return Found() if holds else None


def _restricted(facts: Facts) -> Found | None:
    text = f" {plain(facts.text)} "
    words = [word for word in RESTRICTED_WORDS if f" {word} " in text]
    return Found(", ".join(words), ",".join(words)) if words else None


def _price(facts: Facts) -> Found | None:
    """About how many times as far: what was approved at ten times the usual price is not at a hundred times."""
    if facts.usual is None or facts.compared < COMPARED_AT_LEAST:
        return None
    for price, ratio in ((facts.lowest, facts.usual / facts.lowest), (facts.highest, facts.highest / facts.usual)):
        if ratio >= FAR:
            side = "low" if price < facts.usual else "high"
            return Found(f"{price:.2f} against {facts.usual:.2f}", f"{side} {math.floor(math.log10(ratio))}")
    return None


def _risky(facts: Facts) -> Found | None:
    path = next((one for one in RISKY_CATEGORIES if f"{facts.category_path}/".startswith(f"{one}/")), None)
    return None if path is None else Found(path, path)


RULES: tuple[Rule, ...] = (
    Rule("unverified-seller", ALWAYS, "The seller is not verified yet.", lambda facts: _when(not facts.verified)),
    Rule("restricted-words", ALWAYS, "It says: {}.", _restricted),
    Rule(
        "refused-before", ALWAYS, "An administrator rejected or removed it before.", lambda facts: _when(facts.refused)
    ),
    Rule("risky-category", 50, "Goods of {} are looked at more closely.", _risky),
    Rule("unusual-price", 40, "Its price is far from what is usual in its category: {}.", _price),
    Rule(
        "borrowed-picture",
        40,
        "Another seller shows one of its pictures for another thing.",
        lambda facts: _when(facts.same_picture),
    ),
    Rule(
        "contradicted-gtin",
        40,
        "Another seller's product with its GTIN is of another brand.",
        lambda facts: _when(facts.other_brand),
    ),
    Rule("new-seller", 20, "The store is new.", lambda facts: _when(facts.store_age < NEW_STORE)),
    Rule("no-picture", 10, "It has no picture.", lambda facts: _when(facts.pictures == 0)),
    Rule("same-thing", 10, "Another seller sells the same thing.", lambda facts: _when(facts.same_thing)),
)


def judge(facts: Facts, limit: int, approved: Collection[tuple[str, str]] = ()) -> Judgement:
    """What speaks against a product, the heaviest first. `approved`: rule and subject of what an administrator has
    approved of it."""
    found = [(rule, one) for rule in RULES if (one := rule.holds(facts)) is not None]
    findings = [Finding(rule.name, rule.score, rule.words.format(one.detail), one.about) for rule, one in found]
    score = sum(one.score for one in findings if (one.rule, one.about) not in approved)
    return Judgement(findings, score, score >= limit)


def in_words(findings: Sequence[Finding]) -> str:
    """Why a product waits, for its seller."""
    return " ".join(["An administrator looks at it first.", *(one.words for one in findings)])
