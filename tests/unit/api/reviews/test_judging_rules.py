"""The rules about reviews, one by one, and what becomes of their findings."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from api.reviews.judging.rules import (
    BURST,
    DEVOTED,
    GLAD,
    MANY_A_DAY,
    MANY_AN_HOUR,
    NEW_ACCOUNT,
    RULES,
    SAD,
    TOXIC,
    Facts,
    Thresholds,
    judge,
)

THRESHOLDS = Thresholds(0.5, 0.3, 0.95)
ORDINARY = Facts(
    rating=5,
    text="Holds the laptop firmly, and the oak is real. The screws were missing, the seller sent them.",
    language="en",
    shop_languages=("en", "de"),
    verified=True,
    account_age=timedelta(days=400),
    toxicity=0.02,
    mood=0.4,
)
# What each rule looks for, and the nearest thing that it lets pass.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "link": ({"text": "see cheap-shop dot com"}, {"text": "see the shop"}),
    "contact": ({"text": "call me at +49 170 1234567"}, {"text": "call me old, but 1234567 pieces"}),
    "offer": ({"text": "My promo code saves you ten"}, {"text": "The promotion was over"}),
    "paid": ({"text": "I got a gift card for this review"}, {"text": "I got a gift card, and bought it"}),
    "toxic": ({"toxicity": TOXIC}, {"toxicity": TOXIC - 0.001}),
    "hidden-words": ({"text": "gооgle it"}, {"text": "google it"}),
    "repeats": ({"text": "goooooooood"}, {"text": "gooood"}),
    "capitals": ({"text": "THE BEST KETTLE OF THEM ALL"}, {"text": "The BEST kettle of them all"}),
    "language": ({"text": "прекрасный чайник"}, {"text": "прекрасный чайник", "shop_languages": ("en", "ru")}),
    "mood": ({"rating": 5, "mood": SAD}, {"rating": 3, "mood": SAD}),
    "copy": ({"copies": 1}, {"copies": 0}),
    "own-copy": ({"own_copies": 1}, {"own_copies": 0}),
    "fast": ({"last_hour": MANY_AN_HOUR}, {"last_hour": MANY_AN_HOUR - 1, "last_day": MANY_A_DAY - 1}),
    "shared-origin": ({"others_about_product": 1}, {"others_about_seller": 3}),
    "burst": ({"burst": BURST, "usual": 2.0}, {"burst": BURST, "usual": 2.1}),
    "one-sided": ({"one_sided": DEVOTED}, {"one_sided": DEVOTED - 1}),
    "new-account": ({"account_age": NEW_ACCOUNT - timedelta(seconds=1)}, {"account_age": NEW_ACCOUNT}),
    "unverified": ({"verified": False}, {"verified": True}),
    "rejected-before": ({"rejected_before": 1}, {"rejected_before": 0}),
}


def names(facts: Facts) -> list[str]:
    return [finding.rule for finding in judge(facts, THRESHOLDS).reasons]


def test_every_rule_has_a_case_and_an_ordinary_review_none() -> None:
    assert [rule.name for rule in RULES] == list(CASES)
    verdict = judge(ORDINARY, THRESHOLDS)
    assert (verdict.score, verdict.reasons, verdict.decision) == (0.0, [], "publish")


@pytest.mark.parametrize("name", CASES)
def test_a_rule_holds_alone_and_not_for_what_is_nearly_so(name: str) -> None:
    holds, passes = CASES[name]

    assert names(replace(ORDINARY, **holds)) == [name]
    assert names(replace(ORDINARY, **passes)) == []


def test_glad_words_with_one_star_contradict_it_and_an_unknown_mood_says_nothing() -> None:
    assert names(replace(ORDINARY, rating=1, mood=GLAD)) == ["mood"]
    assert names(replace(ORDINARY, rating=1, mood=None)) == []
    assert names(replace(ORDINARY, rating=1, mood=SAD)) == []


def test_a_score_joins_its_findings_and_never_reaches_one() -> None:
    verdict = judge(replace(ORDINARY, copies=1, last_hour=5), THRESHOLDS)

    assert verdict.score == round(1 - 0.45 * 0.6, 3)
    assert [(one.rule, one.weight) for one in verdict.reasons] == [("copy", 0.55), ("fast", 0.4)]
    everything = replace(ORDINARY, text="SEE www.a.com www.b.com www.c.com +49 170 1234567", copies=9, own_copies=9)
    assert judge(everything, THRESHOLDS).score <= 1


def test_what_waits_for_an_unverified_author_is_published_for_a_buyer() -> None:
    contradiction = replace(ORDINARY, mood=SAD)

    assert judge(contradiction, THRESHOLDS).decision == "publish"
    assert judge(replace(contradiction, verified=False), THRESHOLDS).decision == "queue"
    assert judge(replace(ORDINARY, verified=False), THRESHOLDS).decision == "publish"


def test_thresholds_say_what_becomes_of_a_score() -> None:
    facts = replace(ORDINARY, copies=1)  # .55

    assert judge(facts, Thresholds(0.551, 0.3, 0.95)).decision == "publish"
    assert judge(facts, Thresholds(0.55, 0.3, 0.95)).decision == "queue"
    assert judge(facts, Thresholds(0.5, 0.3, 0.55)).decision == "reject"
    assert judge(replace(facts, verified=False), Thresholds(0.9, 0.55, 0.95)).decision == "queue"
