"""Whether a candidate replaces the champion: a pure decision over judged cases."""

from training.judging.scores import Judged, gain


def decide_promotion(
    candidate: Judged | None,
    popularity: Judged | None,
    champion: Judged | None,
    *,
    same_columns: bool,
    newer_data: bool,
    seed: int,
) -> tuple[bool, str]:
    """(promote, why).

    The candidate must beat popularity: paired 95 % interval above zero. Against a champion it must be better (interval
    above zero), or not worse (interval reaches zero) with newer data: at equal quality a model that includes this
    week's products is preferred. A champion fitted on other feature columns can no longer serve and is not compared.
    """
    if candidate is None or popularity is None:
        return False, "no test case: nothing proves the candidate"
    over = gain(candidate, popularity, seed)
    if over.low <= 0:
        return False, f"does not beat popularity: NDCG@10 gain {over.mean:+.4f} [{over.low:+.4f}, {over.high:+.4f}]"
    words = f"beats popularity by {over.mean:+.4f} [{over.low:+.4f}, {over.high:+.4f}]"
    if champion is None:
        return True, f"{words}; there is no champion"
    if not same_columns:
        return True, f"{words}; the champion was fitted on other feature columns"
    change = gain(candidate, champion, seed)
    against = f"NDCG@10 against the champion {change.mean:+.4f} [{change.low:+.4f}, {change.high:+.4f}]"
    if change.low > 0:
        return True, f"{words}; better: {against}"
    if newer_data and change.high >= 0:
        return True, f"{words}; not worse and newer data: {against}"
    return False, f"{words}; not better: {against}"
