"""One JSON object a line on stderr."""

import io
import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog


class BestEffortStderr(io.TextIOBase):
    """stderr that never raises: a log on a full disk loses lines, and nothing stops for it."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


def configure(level: str) -> None:
    """Structured events from `level` up."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", BestEffortStderr())),
    )
