"""How much of what is bad is held back on generated months, against the stated baseline. With the model of toxic
language: `souk bench moderation`."""

from collections import Counter

import pytest

from tests.harness.review_world import World, baseline, facts_of, scored, suspected, verdicts


@pytest.mark.slow
def test_a_month_of_reviews_against_the_baseline() -> None:
    written = World(1).reviews()
    assert Counter(one.kind for one in written) == {
        "honest": 1_850, "ring": 180, "advert": 60, "copy": 60, "attack": 56, "abuse": 40, "paid": 30,
    }  # fmt: skip
    seen: Counter[str] = Counter()
    stated = []
    for one, facts in zip(written, facts_of(written), strict=True):
        stated.append(baseline(facts, seen[one.text]) != "publish")
        seen[one.text] += 1

    plain, later = scored(written, stated), suspected(written)
    at_once = [one.decision != "publish" for one in verdicts(written)]
    rules = scored(written, at_once)
    both = scored(written, [a or b for a, b in zip(at_once, later, strict=True)])

    assert plain.recall < 0.05
    assert rules.precision > 0.9
    assert rules.recall > 0.55
    assert both.precision > 0.9
    assert both.recall > 0.85
    assert (both.by_kind["ring"], both.by_kind["attack"], rules.by_kind["advert"]) == (1.0, 1.0, 1.0)
    assert scored(written, later).precision == 1.0
    assert [one.decision for one in verdicts(written) if one.decision == "reject"] == []


def test_the_same_seed_is_the_same_month() -> None:
    assert World(3).reviews() == World(3).reviews()
    assert World(3).reviews() != World(4).reviews()
