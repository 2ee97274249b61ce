"""Bodies of synonyms and of what is searched for."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from api.kernel.card_numbers import refuse_card_number
from api.kernel.languages import LanguageTag
from api.kernel.pagination import Pagination
from api.kernel.schemas import Wire, WireTime
from api.kernel.texts import OneLine
from api.search.engine.synonyms import folded

SynonymState = Literal["suggested", "accepted", "refused", "removed"]
Source = Literal["log", "catalog", "person"]
Verdict = Literal["accepted", "refused", "removed"]
Expression = Annotated[
    OneLine, AfterValidator(refuse_card_number), Field(min_length=1, max_length=60, examples=["couch"])
]
QueryOrder = Literal["frequent", "worst", "empty"]
MAX_WORDS = 4


class SynonymIn(Wire):
    """Two expressions of at most four words that shoppers use for the same thing; in every language without one."""

    word: Expression
    synonym: Expression
    language: LanguageTag | None = None

    @model_validator(mode="after")
    def _are_two(self) -> "SynonymIn":
        word, synonym = folded(self.word), folded(self.synonym)
        if not word or not synonym or word == synonym:
            raise ValueError("word and synonym are the same; name two expressions")
        if max(len(word.split()), len(synonym.split())) > MAX_WORDS:
            raise ValueError(f"an expression has at most {MAX_WORDS} words")
        return self


class SynonymDecisionIn(Wire):
    """`accepted`: searches use it. `refused`: it is not suggested again. `removed`: searches use it no longer."""

    decision: Verdict


class SynonymDecisionBody(Wire):
    """`decidedBy`: the administrator's account."""

    decision: Verdict
    decided_by: UUID
    created_at: WireTime


class SynonymBody(Wire):
    """`word` and `synonym` stand for each other. `source`: the log of searches, the catalog's titles, or a person.
    `searches` in vain that the other expression followed, of `shoppers`; `products` of `sellers` whose titles say both.
    `decisions`: the newest first."""

    synonym_id: UUID
    word: str
    synonym: str
    language: str | None
    state: SynonymState
    source: Source
    searches: int
    shoppers: int
    products: int
    sellers: int
    decisions: list[SynonymDecisionBody]
    created_at: WireTime


class SynonymList(Wire):
    """The newest first."""

    synonyms: list[SynonymBody]
    pagination: Pagination


class Suggested(Wire):
    """How many synonyms are suggested that were not known."""

    added: int


class SearchedTerm(Wire):
    """Searches of people for one term in a period. `shoppers`: different ones. Rates are of the searches;
    `zeroResultRate` of those whose number of results is known, null without any. `meanReciprocalRank`: of 1 / place of
    the first click, 0 without one; null where no place is known."""

    term: str
    searches: int
    shoppers: int
    empty_searches: int
    clicked_searches: int
    carted_searches: int
    ordered_searches: int
    zero_result_rate: float | None
    click_through_rate: float
    mean_reciprocal_rank: float | None
    cart_rate: float


class SearchTotals(Wire):
    """Of all terms of the period."""

    searches: int
    shoppers: int
    terms: int
    empty_searches: int
    clicked_searches: int
    carted_searches: int


class SearchReport(Wire):
    """From `firstDay` to `lastDay`, UTC, both too; the newest day with a search is the last one."""

    first_day: date | None
    last_day: date | None
    totals: SearchTotals
    queries: list[SearchedTerm]
