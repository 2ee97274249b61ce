"""The rules about reviews: one table that says what speaks against publishing one, and how much.

Each finding is a weight between 0 and 1, and the score is how sure they make it together: 1 - product of (1 - weight),
as for independent signs. What scores `review_reject_score` is rejected, what scores `review_queue_score` waits for an
administrator, at once at a lower score where the buyer of a delivered item is not the author. The table is stated in
`docs/reviews.md`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NamedTuple

from api.reviews.judging import wording

Decision = Literal["publish", "queue", "reject"]
NEW_ACCOUNT = timedelta(days=2)
# So sure has the model of toxic language to be. At .9 it takes "damn good headphones" for an insult.
TOXIC = 0.95
TOXIC_WEIGHT, TOXIC_WORDS = 0.6, "It insults or swears."
# How far mood and stars are apart when they contradict each other.
GLAD, SAD = 0.7, -0.6
# Of one account, in an hour and in a day.
MANY_AN_HOUR, MANY_A_DAY = 5, 15
# Other accounts of the same address or device, about the same product, or the same seller.
FEW_OTHERS, MANY_OTHERS = 1, 3
# So many reviews of a product in a day, and so many times as many as on its other days, are a burst.
BURST, BURST_RATIO = 10, 5
# Reviews of an account that are all about one seller, all with five stars, or all with one.
DEVOTED = 4


class Thresholds(NamedTuple):
    """Scores from which a review waits, waits when it is not verified, and is rejected."""

    queue: float
    queue_unverified: float
    reject: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules know of a review.

    `toxicity`: 0 to 1 by the model, None when it did not answer. `mood`: -1 to 1, None for a language that it does not
    know. `copies`: reviews of other accounts with nearly the same text, `own_copies` of this account about other
    products. `last_hour`, `last_day`: other reviews of the account. `others_about_product`, `others_about_seller`:
    other accounts of the same address or device that wrote about the product, or the seller, in the last 30 days.
    `burst`: reviews of the product in the last day; `usual`: a day's mean of the 30 before.
    `one_sided`: the account's reviews when all are of one seller with the same extreme stars. `rejected_before`: of its
    author's, in the last 90 days.
    """

    rating: int
    text: str
    language: str
    shop_languages: tuple[str, ...]
    verified: bool
    account_age: timedelta
    toxicity: float | None = None
    mood: float | None = None
    copies: int = 0
    own_copies: int = 0
    last_hour: int = 0
    last_day: int = 0
    others_about_product: int = 0
    others_about_seller: int = 0
    burst: int = 0
    usual: float = 0.0
    one_sided: int = 0
    rejected_before: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """`words` are told to the author. `holds` gives the weight, 0 when the rule does not hold."""

    name: str
    words: str
    holds: Callable[[Facts], float]


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that holds for a review."""

    rule: str
    weight: float
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`score`: 0 (nothing speaks against it) to 1, to three places. `reasons`: the heaviest first."""

    score: float
    reasons: list[Finding]
    decision: Decision


def _links(facts: Facts) -> float:
    found = wording.links(facts.text)
    return 0.0 if found == 0 else 0.6 if found < 3 else 0.9


def _toxic(facts: Facts) -> float:
    is_toxic = wording.insults(facts.text) or (facts.toxicity is not None and facts.toxicity >= TOXIC)
    return TOXIC_WEIGHT if is_toxic else 0.0


def _mood(facts: Facts) -> float:
    if facts.mood is None:
        return 0.0
    contradicts = (facts.rating >= 4 and facts.mood <= SAD) or (facts.rating <= 2 and facts.mood >= GLAD)
    return 0.25 if contradicts else 0.0


def _copies(facts: Facts) -> float:
    return 0.0 if facts.copies == 0 else 0.55 if facts.copies == 1 else 0.8


def _own_copies(facts: Facts) -> float:
    return 0.0 if facts.own_copies == 0 else 0.3 if facts.own_copies < 3 else 0.6


def _fast(facts: Facts) -> float:
    return 0.4 if facts.last_hour >= MANY_AN_HOUR or facts.last_day >= MANY_A_DAY else 0.0


def _shared(facts: Facts) -> float:
    """About one product a household has perhaps two reviews, about one seller three."""
    if facts.others_about_product >= MANY_OTHERS or facts.others_about_seller >= 2 * MANY_OTHERS:
        return 0.7
    if facts.others_about_product > FEW_OTHERS or facts.others_about_seller > MANY_OTHERS:
        return 0.45
    return 0.2 if facts.others_about_product == FEW_OTHERS else 0.0


def _burst(facts: Facts) -> float:
    """Verified buyers of a success come in bursts too: it weighs little for them."""
    if facts.burst < BURST or facts.burst < BURST_RATIO * facts.usual:
        return 0.0
    return 0.05 if facts.verified else 0.25


RULES: tuple[Rule, ...] = (
    Rule("link", "It leads to another site.", _links),
    Rule("contact", "It gives a way to contact somebody.", lambda facts: 0.6 * wording.has_contact(facts.text)),
    Rule("offer", "It advertises something else.", lambda facts: 0.55 * wording.has_offer(facts.text)),
    Rule("paid", "It says that something was given for it.", lambda facts: 0.55 * wording.is_paid(facts.text)),
    Rule("toxic", TOXIC_WORDS, _toxic),
    Rule("hidden-words", "It mixes alphabets in a word.", lambda facts: 0.5 * wording.has_mixed_words(facts.text)),
    Rule("repeats", "It says one thing again and again.", lambda facts: 0.35 * wording.repeats(facts.text)),
    Rule("capitals", "Most of it is in capitals.", lambda facts: 0.15 * wording.shouts(facts.text)),
    Rule(
        "language",
        "It is in another alphabet than those of the shop's languages.",
        lambda facts: 0.3 * wording.is_foreign(facts.text, facts.shop_languages),
    ),
    Rule("mood", "Its words contradict its stars.", _mood),
    Rule("copy", "Somebody else wrote nearly the same.", _copies),
    Rule("own-copy", "Its author wrote nearly the same of other products.", _own_copies),
    Rule("fast", "Its author writes many reviews in a short time.", _fast),
    Rule("shared-origin", "Other accounts wrote about the same from the same place.", _shared),
    Rule("burst", "The product gets many more reviews than usual.", _burst),
    Rule(
        "one-sided",
        "Its author praises, or damns, one seller only.",
        lambda facts: 0.35 * (facts.one_sided >= DEVOTED),
    ),
    Rule("new-account", "Its author's account is new.", lambda facts: 0.12 * (facts.account_age < NEW_ACCOUNT)),
    Rule("unverified", "Its author did not buy the product here.", lambda facts: 0.1 * (not facts.verified)),
    Rule(
        "rejected-before",
        "Other reviews of its author were rejected.",
        lambda facts: min(0.15 * facts.rejected_before, 0.45),
    ),
)


def judge(facts: Facts, thresholds: Thresholds) -> Verdict:
    """What speaks against a review, and what becomes of it without an administrator."""
    found = [Finding(rule.name, round(weight, 2), rule.words) for rule in RULES if (weight := rule.holds(facts)) > 0]
    score = round(1 - math.prod(1 - one.weight for one in found), 3)
    queue = thresholds.queue if facts.verified else thresholds.queue_unverified
    decision: Decision = "reject" if score >= thresholds.reject else "queue" if score >= queue else "publish"
    return Verdict(score, sorted(found, key=lambda one: -one.weight), decision)


def in_words(reasons: Sequence[Finding]) -> str:
    """The statement of reasons of an automatic decision, for the author."""
    return " ".join(one.words for one in reasons)
