"""The column types that every table shares, so that each is declared once."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from sqlalchemy import DateTime, Numeric, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column

# These columns never leave Postgres.
PII = {"pii": "personal"}
SECRET = {"secret": True}
# Every published column of text says whether its text may be about a person. Readers of the lake get the personal ones
# masked unless they ask for them. Ids are not text: they are pseudonyms.
NOT_PERSONAL = {"personal": None}
FREE_TEXT = {"personal": "free text"}
PAYMENT_REFERENCE = {"personal": "payment reference"}

Id = Annotated[UUID, mapped_column(primary_key=True)]
Money = Annotated[Decimal, mapped_column(Numeric(12, 2), info={"unit": "currency"})]
CreatedAt = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]
UpdatedAt = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]
Instant = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Currency = Annotated[str, mapped_column(String(3), info=NOT_PERSONAL)]
# The source of a row: the shop itself, or a loaded data set (whose mails and events count as already sent).
Origin = Annotated[str, mapped_column(String(10), server_default=text("'native'"), info=NOT_PERSONAL)]
Json = Annotated[dict[str, object], mapped_column(JSONB)]
