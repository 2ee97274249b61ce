"""Which state of the lake a person means who names a log position or a time."""

import os
import re
from datetime import UTC, datetime

from warehouse.lake.lsn import format_lsn, parse_lsn
from warehouse.lake.read import attach, connect, quote
from warehouse.lake.watermark import (
    LakeStateError,
    Watermark,
    latest_watermark,
    oldest_watermark,
    watermark_at,
    watermark_by,
)

_LSN = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}")


class UnknownMoment(ValueError):
    """The text is neither a log position nor a time; the message shows both forms."""


def parse_moment(text: str) -> int | datetime:
    """A log position such as 0/1A2B3C, or an ISO 8601 time, in UTC where it names no zone. Raises UnknownMoment."""
    text = text.strip()
    if _LSN.fullmatch(text):
        return parse_lsn(text)
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise UnknownMoment(
            f"{text!r} is neither a log position such as 0/1A2B3C nor a time such as 2026-01-31T12:00:00Z"
        ) from error


def watermark_as_of(lake: str | os.PathLike[str], moment: int | datetime) -> Watermark:
    """The lake exactly at a log position, or after the last transaction committed at or before a time.

    Raises LakeStateError when that state is not kept any more, not there yet, or was skipped by a new snapshot.
    """
    oldest, newest = oldest_watermark(lake), latest_watermark(lake)
    if oldest is None or newest is None:
        raise LakeStateError(
            "the lake is empty: its first snapshot has not finished, `souk status` shows how far it is"
        )
    if isinstance(moment, datetime):
        _check(_shown(moment), moment < oldest.commit_ts, moment > newest.commit_ts, oldest, newest)
        return watermark_at(lake, _lsn_by(lake, moment, watermark_by(lake, moment) or oldest, newest))
    _check(format_lsn(moment), moment < oldest.lsn, moment > newest.lsn, oldest, newest)
    return watermark_at(lake, moment)


def _check(shown: str, too_old: bool, too_new: bool, oldest: Watermark, newest: Watermark) -> None:
    if too_old:
        raise LakeStateError(
            f"{shown} is before the oldest state kept, {_named(oldest)}: name that or a later one"
            " (SOUK_LAKE_RETENTION_HOURS says how long states are kept)"
        )
    if too_new:
        raise LakeStateError(
            f"{shown} is after the newest state, {_named(newest)}: name that or an earlier one, or wait until"
            " `souk status` shows that the lake is there"
        )


def _lsn_by(lake: str | os.PathLike[str], moment: datetime, before: Watermark, newest: Watermark) -> int:
    """The end of the last transaction committed at or before `moment`, found in the change logs above `before`.

    Raises SnapshottedAnew when the changes between `before` and `moment` never reached the lake.
    """
    with connect() as con:
        attach(con, lake, newest, "log", changes=True)
        later = "SELECT NULL::BIGINT AS _commit_lsn" + "".join(
            f" UNION ALL SELECT _commit_lsn FROM log.{quote(f'{name}__changes')}"
            f" WHERE _commit_lsn > {before.lsn} AND _commit_ts <= TIMESTAMPTZ '{moment.isoformat()}'"
            for name in newest.versions
        )
        found = con.execute(f"SELECT max(_commit_lsn) FROM ({later})").fetchone()
    if found is not None and found[0] is not None:
        return int(found[0])
    if moment > before.commit_ts:
        watermark_at(lake, before.lsn + 1)  # raises when a new snapshot follows
    return before.lsn


def _named(mark: Watermark) -> str:
    return f"{mark.lsn_text} of {_shown(mark.commit_ts)}"


def _shown(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
