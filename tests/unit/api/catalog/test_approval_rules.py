"""The rules of risk, one by one, and what an administrator's approval does to them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from api.catalog.approval.rules import ALWAYS, FAR, NEW_STORE, RESTRICTED_WORDS, RISKY_CATEGORIES, RULES, Facts, judge

ORDINARY = Facts(
    verified=True,
    store_age=timedelta(days=400),
    text="Noise-cancelling headphones\nAcme",
    category_path="/Electronics/Audio",
    lowest=Decimal("90.00"),
    highest=Decimal("110.00"),
    usual=Decimal("100.00"),
    compared=20,
    pictures=1,
    same_thing=False,
    same_picture=False,
    other_brand=False,
    refused=False,
)
# What each rule looks for, and the nearest thing that it lets pass.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "unverified-seller": ({"verified": False}, {"verified": True}),
    "restricted-words": ({"text": "A ＣＯＵＮＴＥＲＦＥＩＴ coin"}, {"text": "Counterfeiting: a history"}),
    "refused-before": ({"refused": True}, {"refused": False}),
    "risky-category": ({"category_path": "/Beauty/Care"}, {"category_path": "/Beautyful"}),
    "unusual-price": ({"lowest": Decimal("10.00")}, {"lowest": Decimal("10.01")}),
    "borrowed-picture": ({"same_picture": True}, {"same_picture": False}),
    "contradicted-gtin": ({"other_brand": True}, {"other_brand": False}),
    "new-seller": ({"store_age": NEW_STORE - timedelta(seconds=1)}, {"store_age": NEW_STORE}),
    "no-picture": ({"pictures": 0}, {"pictures": 1}),
    "same-thing": ({"same_thing": True}, {"same_thing": False}),
}


def names(facts: Facts) -> list[str]:
    return [finding.rule for finding in judge(facts, ALWAYS).findings]


def test_every_rule_has_a_case_and_an_ordinary_product_none() -> None:
    assert [rule.name for rule in RULES] == list(CASES)
    assert names(ORDINARY) == []


@pytest.mark.parametrize("name", CASES)
def test_a_rule_holds_alone_and_not_for_what_is_nearly_so(name: str) -> None:
    holds, passes = CASES[name]

    assert names(replace(ORDINARY, **holds)) == [name]
    assert names(replace(ORDINARY, **passes)) == []


def test_the_heaviest_rules_come_first_and_outweigh_every_setting() -> None:
    scores = [rule.score for rule in RULES]

    assert scores == sorted(scores, reverse=True)
    assert [rule.name for rule in RULES if rule.score >= ALWAYS] == [
        "unverified-seller", "restricted-words", "refused-before",
    ]  # fmt: skip


def test_a_product_waits_from_the_score_of_the_setting_on() -> None:
    facts = replace(ORDINARY, same_picture=True, lowest=Decimal("1.00"), store_age=timedelta(0))

    judgement = judge(facts, 100)

    assert [(one.rule, one.score) for one in judgement.findings] == [
        ("unusual-price", 40), ("borrowed-picture", 40), ("new-seller", 20),
    ]  # fmt: skip
    assert (judgement.score, judgement.waits) == (100, True)
    assert judge(facts, 101).waits is False


def test_a_new_sellers_ordinary_product_without_a_picture_is_sold_at_once() -> None:
    """Also in a category that is looked at more closely, and when another seller sells it."""
    facts = replace(ORDINARY, store_age=timedelta(0), pictures=0, same_thing=True, category_path="/Beauty")

    assert (judge(facts, 100).score, judge(facts, 100).waits) == (90, False)


def test_what_was_approved_does_not_count_until_it_is_something_else() -> None:
    cheap = replace(ORDINARY, lowest=Decimal("9.00"), text="A replica watch")
    approved = {(one.rule, one.about) for one in judge(cheap, 100).findings}

    assert judge(cheap, 100, approved).waits is False
    assert judge(replace(cheap, lowest=Decimal("2.00")), 40, approved).waits is False
    assert judge(replace(cheap, lowest=Decimal("0.90")), 40, approved).waits is True
    assert judge(replace(cheap, text="A replica watch and a grenade"), 100, approved).waits is True


@pytest.mark.parametrize(("compared", "usual"), [(19, Decimal("100.00")), (0, None)], ids=["few others", "nobody else"])
def test_few_prices_are_no_usual_price(compared: int, usual: Decimal | None) -> None:
    assert names(replace(ORDINARY, compared=compared, usual=usual, lowest=Decimal("0.01"))) == []


def test_a_price_is_told_with_the_usual_one() -> None:
    (finding,) = judge(replace(ORDINARY, highest=Decimal(100 * FAR)), 100).findings

    assert finding.words == "Its price is far from what is usual in its category: 1000.00 against 100.00."
    assert finding.about == "high 1"


def test_the_page_states_the_table() -> None:
    page = Path("docs/approval.md").read_text(encoding="utf-8")
    words = " ".join(page.split())

    for rule in RULES:
        assert f"| `{rule.name}` | {'always' if rule.score >= ALWAYS else rule.score} |" in page, rule.name
    for word in (*RESTRICTED_WORDS, *RISKY_CATEGORIES):
        assert word in words, word
