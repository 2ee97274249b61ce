"""Reads of the exchange rates."""

from sqlalchemy import select

from api.kernel.db import ReadTx
from api.pricing.conversion import Rate, Rates
from api.pricing.models import ExchangeRate


async def rates_to(tx: ReadTx, currency: str) -> Rates:
    """Every rate that converts into `currency`."""
    statement = select(
        ExchangeRate.from_currency, ExchangeRate.to_currency, ExchangeRate.day, ExchangeRate.rate, ExchangeRate.source
    ).where(ExchangeRate.to_currency == currency)
    return Rates(await tx.all_as(Rate, statement))
