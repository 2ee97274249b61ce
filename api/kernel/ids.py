"""Identifiers: UUIDv7 from the application, and order numbers that reveal neither volume nor order."""

import secrets
import uuid

import uuid_utils

ORDER_NUMBER_DIGITS = 14


def new_id() -> uuid.UUID:
    """A UUIDv7: time-ordered for index locality. Nothing may rely on the order between processes."""
    return uuid.UUID(bytes=uuid_utils.uuid7().bytes)


def new_order_number() -> str:
    """`112-ddddddd-ddddddd`: 14 random digits, so 10^14 values; the UNIQUE constraint
    catches a repeat and the insert is retried."""
    digits = f"{secrets.randbelow(10**ORDER_NUMBER_DIGITS):0{ORDER_NUMBER_DIGITS}d}"
    return f"112-{digits[:7]}-{digits[7:]}"


def parse_id(value: str) -> uuid.UUID | None:
    """The UUID in `value`, or None when it is not one (a malformed id in a path is simply not found)."""
    try:
        return uuid.UUID(value)
    except ValueError:
        return None
