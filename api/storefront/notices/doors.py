"""The mail about products: to the seller of one that was decided about, and to whoever has reported one."""

from collections.abc import Iterable, Sequence
from uuid import UUID, uuid5

import orjson

from api.catalog.approval.commands import DECIDED
from api.catalog.approval.queries import labels_of, told_of
from api.identity.queries import emails_of
from api.kernel.context import Context
from api.kernel.db import Tx
from api.kernel.outbox import Door, Pending
from api.mail import commands as mail
from api.storefront.notices.commands import REPORTED, REPORTS_DECIDED
from api.storefront.notices.numbers import report_number
from api.storefront.notices.queries import Decided, Reporter, decisions_by_id, reporters_of, who_reported


async def _decided_products(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    decided = _by_id(events, DECIDED, "decisionId")
    if not decided:
        return
    told = await told_of(tx, decided)
    emails = await emails_of(tx, {one.seller_id for one in told})
    await mail.queue(
        tx,
        [
            mail.NewMail(
                decided[one.decision_id].event_id,
                f"product-{one.decision}",
                emails[one.seller_id],
                {"title": one.title, "reason": one.reason},
            )
            for one in told
            if one.seller_id in emails
        ],
    )


async def _reported(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    """The receipt, with the token that opens the report."""
    reported = _by_id(events, REPORTED, "reportId")
    if not reported:
        return
    reporters = await who_reported(tx, reported)
    titles = {label.product_id: label.title for label in (await labels_of(tx, _products(reporters))).values()}
    await mail.queue(
        tx,
        [
            mail.NewMail(
                reported[one.report_id].event_id,
                "report-received",
                address,
                {"number": report_number(one.report_id), "title": titles[one.product_id]},
                token=one.report_id,
            )
            for one, address in await _reached(tx, reporters)
        ],
    )


async def _decided_reports(ctx: Context, tx: Tx, events: Sequence[Pending]) -> None:
    """Each reporter hears of a decision, also of one about the seller's objection; and so does the seller."""
    told = _by_id(events, REPORTS_DECIDED, "decisionId")
    if not told:
        return
    decisions = await decisions_by_id(tx, told)
    # The reports that a decision is about: its own, or those of the decision that was contested.
    closed = {decided.decision_id: decided.contested or decided.decision_id for decided in decisions.values()}
    reached = await _reached(tx, await reporters_of(tx, set(closed.values())))
    titles = {one.product_id: one.title for one in (await labels_of(tx, _products(decisions.values()))).values()}
    mails = []
    for decided in decisions.values():
        for reporter, address in reached:
            if reporter.decision_id == closed[decided.decision_id]:
                data = _words(decided, titles) | {"number": report_number(reporter.report_id)}
                own = uuid5(told[decided.decision_id].event_id, str(reporter.report_id))
                mails.append(mail.NewMail(own, "report-decided", address, data, token=reporter.report_id))
    emails = await emails_of(tx, {decided.seller_id for decided in decisions.values()})
    for decided in decisions.values():
        if decided.seller_id in emails:
            event_id = told[decided.decision_id].event_id
            mails.append(mail.NewMail(event_id, _kind(decided), emails[decided.seller_id], _words(decided, titles)))
    await mail.queue(tx, mails)


def _kind(decided: Decided) -> str:
    """The mail to the seller."""
    if decided.contested is not None:
        return "objection-decided"
    return "product-kept" if decided.decision == "keep" else "product-removed"


def _words(decided: Decided, titles: dict[UUID, str]) -> dict[str, object]:
    return {"title": titles[decided.product_id], "decision": decided.decision, "reason": decided.statement}


async def _reached(tx: Tx, reporters: Sequence[Reporter]) -> list[tuple[Reporter, str]]:
    """Those who can be told, with their addresses: a member's is the account's."""
    emails = await emails_of(tx, {one.reporter_id for one in reporters if one.reporter_id is not None})
    addressed = [(one, one.email if one.reporter_id is None else emails.get(one.reporter_id)) for one in reporters]
    return [(one, address) for one, address in addressed if address is not None]


def _products(rows: Iterable[Reporter | Decided]) -> set[UUID]:
    return {row.product_id for row in rows}


def _by_id(events: Sequence[Pending], kind: str, member: str) -> dict[UUID, Pending]:
    return {UUID(orjson.loads(event.payload)[member]): event for event in events if event.event_type == kind}


DOORS: tuple[Door, ...] = (_decided_products, _reported, _decided_reports)
