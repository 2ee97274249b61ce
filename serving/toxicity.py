"""How toxic texts are, by the linear model of alt-profanity-check.

Its weights are in the wheel; scikit-learn, which it needs, takes ten seconds and 180 MB to load, so it is loaded in the
background by the first question, and never in a process of the shop.
"""

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Protocol, cast

from pydantic import BaseModel, ConfigDict, Field

from serving.guard import Guard

MOST_TEXTS, LONGEST_TEXT = 100, 12_000


class TextsIn(BaseModel):
    """The texts that are asked about."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    texts: Annotated[list[Annotated[str, Field(max_length=LONGEST_TEXT)]], Field(min_length=1, max_length=MOST_TEXTS)]


class ToxicityOut(BaseModel):
    """0 (not) to 1 (toxic) for each text, in their order; without a value when the model did not answer in time."""

    scores: list[float] | None


class _Scores(Protocol):
    """What the wheel gives: an array of numbers."""

    def tolist(self) -> list[float]: ...


class Toxicity:
    """The model behind a deadline, with a thread of its own."""

    def __init__(self, seconds: float) -> None:
        self._guard = Guard("toxicity", seconds)

    async def of(self, texts: Sequence[str]) -> list[float] | None:
        """A number for each text; None when the model was late, failed or rests."""
        return await self._guard.call(lambda: scores(texts))

    def close(self) -> None:
        """Let the thread end."""
        self._guard.close()


def scores(texts: Sequence[str]) -> list[float]:
    """Of each text, 0 to 1, to four places; loads the model when it is not loaded yet."""
    return [round(one, 4) for one in _model().predict_prob(list(texts)).tolist()]


class _Model(Protocol):
    def predict_prob(self, texts: list[str]) -> _Scores: ...


@cache
def _model() -> _Model:
    import profanity_check

    return cast("_Model", profanity_check)
