"""Log sequence numbers: int in the lake, `X/Y` text in Postgres."""


def parse_lsn(text: str) -> int:
    """`'0/16B3748'` or a decimal number to an int; raises ValueError."""
    high, slash, low = text.strip().partition("/")
    if not slash:
        return int(text)
    return int(high, 16) << 32 | int(low, 16)


def format_lsn(lsn: int) -> str:
    """The LSN as Postgres prints it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
