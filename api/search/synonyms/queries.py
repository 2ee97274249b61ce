"""Reads of synonyms: for administrators, and for processes that search."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Integer, String, Uuid, any_, bindparam, select

from api.kernel.actor import Actor, require_administrator
from api.kernel.db import ReadTx
from api.kernel.pagination import PageParams
from api.search.engine.synonyms import Pair
from api.search.synonyms.errors import SynonymNotFound
from api.search.synonyms.models import SearchSynonym, SynonymDecision
from api.search.synonyms.schemas import Source, SynonymBody, SynonymDecisionBody, SynonymState, Verdict

UNKNOWN = "There is no synonym with this id."
# Of one table in memory; more is no dictionary that a person has read.
MOST_ACCEPTED = 50_000


@dataclass(frozen=True, slots=True)
class _Synonym:
    """A row of `search_synonyms`."""

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
    created_at: datetime


@dataclass(frozen=True, slots=True)
class _Decision:
    """A row of `search_synonym_decisions`."""

    synonym_id: UUID
    decision: Verdict
    decided_by: UUID
    created_at: datetime


_SYNONYMS = select(
    SearchSynonym.synonym_id,
    SearchSynonym.word,
    SearchSynonym.synonym,
    SearchSynonym.language,
    SearchSynonym.state,
    SearchSynonym.source,
    SearchSynonym.searches,
    SearchSynonym.shoppers,
    SearchSynonym.products,
    SearchSynonym.sellers,
    SearchSynonym.created_at,
).order_by(SearchSynonym.synonym_id.desc())
_IN_STATE = _SYNONYMS.where(SearchSynonym.state == bindparam("state", type_=String)).limit(
    bindparam("take", type_=Integer)
)
_ONE = _SYNONYMS.where(SearchSynonym.synonym_id == bindparam("synonym_id", type_=Uuid))
_DECISIONS = (
    select(
        SynonymDecision.synonym_id,
        SynonymDecision.decision,
        SynonymDecision.decided_by,
        SynonymDecision.created_at,
    )
    .where(SynonymDecision.synonym_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .order_by(SynonymDecision.decision_id.desc())
)
_ACCEPTED = (
    select(SearchSynonym.word, SearchSynonym.synonym, SearchSynonym.language)
    .where(SearchSynonym.state == "accepted")
    .order_by(SearchSynonym.synonym_id)
    .limit(MOST_ACCEPTED)
)


async def accepted(tx: ReadTx) -> list[Pair]:
    """What searches use."""
    return await tx.all_as(Pair, _ACCEPTED)


async def synonyms(
    tx: ReadTx, actor: Actor, state: SynonymState, page: PageParams, before: UUID | None
) -> tuple[list[SynonymBody], bool]:
    """The newest synonyms in a state, and whether there are more. Raises: Forbidden."""
    require_administrator(actor)
    statement = _IN_STATE
    asked: dict[str, SynonymState | int | UUID] = {"state": state, "take": page.limit + 1}
    if before is not None:
        statement = statement.where(SearchSynonym.synonym_id < bindparam("before", type_=Uuid))
        asked["before"] = before
    else:
        statement = statement.offset(bindparam("skip", type_=Integer))
        asked["skip"] = page.offset
    rows = await tx.all_as(_Synonym, statement, asked)
    return await _bodies(tx, rows[: page.limit]), len(rows) > page.limit


async def synonym_of(tx: ReadTx, actor: Actor, synonym_id: UUID) -> SynonymBody:
    """Raises: Forbidden; SynonymNotFound."""
    require_administrator(actor)
    rows = await tx.all_as(_Synonym, _ONE, {"synonym_id": synonym_id})
    if not rows:
        raise SynonymNotFound(UNKNOWN)
    return (await _bodies(tx, rows))[0]


async def _bodies(tx: ReadTx, rows: Sequence[_Synonym]) -> list[SynonymBody]:
    decided: dict[UUID, list[SynonymDecisionBody]] = {row.synonym_id: [] for row in rows}
    for one in await tx.all_as(_Decision, _DECISIONS, {"ids": list(decided)}):
        decided[one.synonym_id].append(
            SynonymDecisionBody(decision=one.decision, decided_by=one.decided_by, created_at=one.created_at)
        )
    return [
        SynonymBody(
            synonym_id=row.synonym_id,
            word=row.word,
            synonym=row.synonym,
            language=row.language,
            state=row.state,
            source=row.source,
            searches=row.searches,
            shoppers=row.shoppers,
            products=row.products,
            sellers=row.sellers,
            decisions=decided[row.synonym_id],
            created_at=row.created_at,
        )
        for row in rows
    ]
