"""Reads of the exchange rates."""

from collections.abc import Collection
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from api.kernel.db import ReadTx
from api.pricing.conversion import Rate, Rates
from api.pricing.models import ExchangeRate


async def rates_to(tx: ReadTx, target: str, currencies: Collection[str], first: date, last: date) -> Rates:
    """The rates that convert these currencies into `target` from `first` to `last`: those of the days, and of each
    pair the one that holds on `first`."""
    earlier = aliased(ExchangeRate)
    holds = (
        select(func.max(earlier.day))
        .where(
            earlier.from_currency == ExchangeRate.from_currency,
            earlier.to_currency == ExchangeRate.to_currency,
            earlier.day <= first,
        )
        .scalar_subquery()
    )
    statement = select(
        ExchangeRate.from_currency, ExchangeRate.to_currency, ExchangeRate.day, ExchangeRate.rate, ExchangeRate.source
    ).where(
        ExchangeRate.to_currency == target,
        ExchangeRate.from_currency.in_(currencies),
        ExchangeRate.day >= func.coalesce(holds, first),
        ExchangeRate.day <= last,
    )
    return Rates(await tx.all_as(Rate, statement))
