"""`souk bench moderation [--seeds 3]`: how much of what is bad is held back, and how much of what is held back is bad.

On the generated months of `tests/harness/review_world.py`, whose rule and limits its docstring says. `ours` are the
rules as each review is written (`at once`, with the model of toxic language), and the rules with what the marts find
later (`with the lake`); `limit` is the stated baseline of the same file. `learned` is a logistic regression on the same
facts, fitted on months in other words (`train`), against the rules: of all kinds that it was fitted on, and of each
kind by a learner that never saw it, since what comes next is of no kind that one knows. A model ships only where both
are better.
"""

import statistics
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
import typer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from api.reviews.judging import wording
from api.reviews.judging.rules import RULES, Facts, judge
from serving.toxicity import scores
from tests.benchmarks.results import record
from tests.harness.review_world import KINDS, THRESHOLDS, Score, World, Written, baseline, facts_of, scored, suspected
from warehouse.command import program
from warehouse.logs import configure

FITTED_ON = (101, 102)


def read(world: World) -> list[Written]:
    """Its reviews, with what the model of toxic language says of each."""
    written = world.reviews()
    toxic = scores([one.text for one in written])
    return [replace(one, toxicity=score) for one, score in zip(written, toxic, strict=True)]


def features(facts: Facts) -> list[float]:
    """What a learner may see: the weight of each rule, and the numbers behind them."""
    numbers = (
        facts.toxicity or 0.0, facts.mood or 0.0, facts.rating, facts.verified, facts.account_age.days, facts.copies,
        facts.own_copies, facts.last_hour, facts.last_day, facts.others_about_product, facts.others_about_seller,
        facts.burst, facts.usual, facts.one_sided, len(wording.words(facts.text)),
    )  # fmt: skip
    return [*(rule.holds(facts) for rule in RULES), *map(float, numbers)]


def held_by_baseline(written: Sequence[Written], facts: Sequence[Facts]) -> list[bool]:
    """Its verdicts."""
    seen: Counter[str] = Counter()
    held = []
    for one, known in zip(written, facts, strict=True):
        held.append(baseline(known, seen[one.text]) != "publish")
        seen[one.text] += 1
    return held


@program("python -m tests.benchmarks.moderation")
def main(seeds: Annotated[int, typer.Option(min=1, help="Months that are judged.")] = 3) -> int:
    """How much of what is bad the moderation of reviews holds back, on generated months."""
    configure("warning")
    fitted = [(world, facts_of(world)) for world in (read(World(seed, "train")) for seed in FITTED_ON)]
    learner, blind = _fitted(fitted, without=None), {kind: _fitted(fitted, without=kind) for kind in KINDS}
    found: dict[str, list[Score]] = {"baseline": [], "at once": [], "with the lake": []}
    ranked: dict[str, list[float]] = {"rules": [], "learned": []}
    learned_of: dict[str, list[float]] = {kind: [] for kind in KINDS}
    ruled_of: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for seed in range(1, seeds + 1):
        written = read(World(seed))
        facts = facts_of(written)
        verdicts = [judge(one, THRESHOLDS) for one in facts]
        at_once, later = [one.decision != "publish" for one in verdicts], suspected(written)
        found["baseline"].append(scored(written, held_by_baseline(written, facts)))
        found["at once"].append(scored(written, at_once))
        found["with the lake"].append(scored(written, [a or b for a, b in zip(at_once, later, strict=True)]))
        seen, ruled = np.array([features(one) for one in facts]), np.array([one.score for one in verdicts])
        bad, kinds = np.array([one.bad for one in written]), np.array([one.kind for one in written])
        ranked["rules"].append(average_precision_score(bad, ruled))
        ranked["learned"].append(average_precision_score(bad, learner.predict_proba(seen)[:, 1]))
        for kind, other in blind.items():
            of = (kinds == kind) | ~bad
            learned_of[kind].append(average_precision_score(bad[of], other.predict_proba(seen[of])[:, 1]))
            ruled_of[kind].append(average_precision_score(bad[of], ruled[of]))
    for kind in ("at once", "with the lake"):
        for name, of in (("precision", lambda one: one.precision), ("recall", lambda one: one.recall)):
            ours, limit = _mean(found[kind], of), _mean(found["baseline"], of)
            note = ", ".join(f"{k} {v:.2f}" for k, v in found[kind][0].by_kind.items()) if name == "recall" else ""
            record("moderation", f"{name}, {kind}", ours=ours, limit=limit, unit="share", note=note, months=seeds)
    means = {kind: (statistics.mean(learned_of[kind]), statistics.mean(ruled_of[kind])) for kind in KINDS}
    each = ", ".join(f"{kind} {learned:.2f} against {ruled:.2f}" for kind, (learned, ruled) in means.items())
    for name, of_model, of_rules, note in (
        ("kinds that it was fitted on", ranked["learned"], ranked["rules"], ""),
        (
            "a kind that it never saw, mean",
            [one for one, _ in means.values()],
            [one for _, one in means.values()],
            each,
        ),
    ):
        named = f"average precision: learned against the rules, {name}"
        ours, limit = statistics.mean(of_model), statistics.mean(of_rules)
        record("moderation", named, ours=ours, limit=limit, unit="share", note=note, months=seeds)
    return 0


def _fitted(months: Sequence[tuple[list[Written], list[Facts]]], *, without: str | None) -> Pipeline:
    """A learner of these months, without the reviews of one kind."""
    kept = [(one, facts) for month in months for one, facts in zip(*month, strict=True) if one.kind != without]
    learner = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000, class_weight="balanced"))
    learner.fit(np.array([features(facts) for _, facts in kept]), np.array([one.bad for one, _ in kept]))
    return learner


def _mean(found: Sequence[Score], of: Callable[[Score], float]) -> float:
    return statistics.mean(of(one) for one in found)


if __name__ == "__main__":
    sys.exit(main())
