"""Suggest, add and decide synonyms. Searches use what is accepted within seconds."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_new

from api.kernel.actor import Actor, require_administrator
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.ids import new_id
from api.kernel.outbox import emit
from api.search.engine.synonyms import folded
from api.search.log import marts
from api.search.log.marts import Candidate
from api.search.synonyms.errors import SynonymNotFound, SynonymUnused
from api.search.synonyms.models import SearchSynonym, SynonymDecision
from api.search.synonyms.queries import UNKNOWN, synonym_of
from api.search.synonyms.schemas import Suggested, SynonymBody, SynonymIn, Verdict

LONGEST = 100


async def suggest(ctx: Context, actor: Actor) -> Suggested:
    """Suggest what the log of searches and the catalog's titles say, as of the last build of the marts. What is known,
    in whatever state, stays as it is. Raises: Forbidden."""
    require_administrator(actor)
    rows = suggestions(await marts.candidates(ctx))

    async def work(tx: Tx) -> Suggested:
        if not rows:
            return Suggested(added=0)
        new = insert_new(SearchSynonym).on_conflict_do_nothing().values(rows).returning(SearchSynonym.synonym_id)
        return Suggested(added=len(await tx.all(new)))

    return await ctx.db.run(work)


def suggestions(candidates: Sequence[Candidate]) -> list[dict[str, object]]:
    """Rows of candidates, each pair once: what is said in both directions, or by log and catalog, is added up."""
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for one in candidates:
        pair = _in_order(one.word, one.synonym)
        if pair[0] == pair[1] or not pair[0] or max(map(len, pair)) > LONGEST:
            continue
        counts = {"searches": one.searches, "shoppers": one.shoppers, "products": one.products, "sellers": one.sellers}
        known = rows.setdefault(
            pair,
            {
                "synonym_id": new_id(), "word": pair[0], "synonym": pair[1], "language": None, "state": "suggested",
                "source": one.source, **dict.fromkeys(counts, 0),
            },
        )  # fmt: skip
        known |= {name: int(str(known[name])) + count for name, count in counts.items()}
    return list(rows.values())


async def add(ctx: Context, actor: Actor, body: SynonymIn) -> SynonymBody:
    """Accept what a person says, whatever was decided about it before. Raises: Forbidden."""
    require_administrator(actor)
    word, synonym = _in_order(body.word, body.synonym)
    row = {"word": word, "synonym": synonym, "language": body.language, "state": "suggested", "source": "person"}

    async def work(tx: Tx) -> SynonymBody:
        await tx.execute(insert_new(SearchSynonym).on_conflict_do_nothing().values(synonym_id=new_id(), **row))
        pair = (SearchSynonym.word == word, SearchSynonym.synonym == synonym)
        spoken = SearchSynonym.language.is_not_distinct_from(body.language)
        # Nothing deletes synonyms.
        synonym_id: UUID = await tx.scalar(select(SearchSynonym.synonym_id).where(*pair, spoken))
        return await _decide(tx, actor, synonym_id, "accepted")

    return await ctx.db.run(work)


async def decide(ctx: Context, actor: Actor, synonym_id: UUID, decision: Verdict) -> SynonymBody:
    """Accept, refuse or remove a synonym; the same again changes nothing. Raises: Forbidden; SynonymNotFound;
    SynonymUnused (409) when what is not accepted is to be removed."""
    require_administrator(actor)
    return await ctx.db.run(lambda tx: _decide(tx, actor, synonym_id, decision))


async def _decide(tx: Tx, actor: Actor, synonym_id: UUID, decision: Verdict) -> SynonymBody:
    locked = select(SearchSynonym.state).where(SearchSynonym.synonym_id == synonym_id).with_for_update()
    state: str | None = await tx.scalar(locked)
    if state is None:
        raise SynonymNotFound(UNKNOWN)
    if state != decision:
        if decision == "removed" and state != "accepted":
            raise SynonymUnused(f"It is {state}; only an accepted synonym can be removed.")
        changed = update(SearchSynonym).where(SearchSynonym.synonym_id == synonym_id)
        await tx.execute(changed.values(state=decision, updated_at=func.now()))
        said = {"decision_id": new_id(), "synonym_id": synonym_id, "decision": decision, "decided_by": actor.user_id}
        await tx.execute(insert(SynonymDecision).values(said))
        if "accepted" in {state, decision}:
            await emit(tx, "search_synonym", synonym_id, "SynonymsChanged", {"decision": decision})
    return await synonym_of(tx, actor, synonym_id)


def _in_order(one: str, other: str) -> tuple[str, str]:
    first, second = sorted((folded(one), folded(other)))
    return first, second
