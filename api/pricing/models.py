"""Exchange rates, which the operator loads."""

from datetime import date
from decimal import Decimal

from sqlalchemy import CheckConstraint, Numeric, String
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel.columns import NOT_PERSONAL, CreatedAt
from api.kernel.db import Base


class ExchangeRate(Base):
    """From `day` until the next day of the pair, one unit of `from_currency` is worth `rate` of `to_currency`."""

    __tablename__ = "exchange_rates"
    __table_args__ = (
        CheckConstraint("rate > 0", name="rate"),
        CheckConstraint("from_currency <> to_currency", name="pair"),
    )

    from_currency: Mapped[str] = mapped_column(String(3), primary_key=True, info=NOT_PERSONAL)
    to_currency: Mapped[str] = mapped_column(String(3), primary_key=True, info=NOT_PERSONAL)
    day: Mapped[date] = mapped_column(primary_key=True)
    rate: Mapped[Decimal] = mapped_column(Numeric(18, 8))
    source: Mapped[str] = mapped_column(String(100), info=NOT_PERSONAL)
    created_at: Mapped[CreatedAt]
