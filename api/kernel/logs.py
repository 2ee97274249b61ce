"""Structured logs: one JSON object a line on stderr, and never personal data.

`warehouse/logs.py` and `api/kernel/logs.py` are one text in two places, because neither side may import the other; a
test compares them.
"""

import io
import json
import logging
import sys
from contextlib import suppress
from contextvars import ContextVar
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

# The request a line belongs to; lines of no request do not carry it.
trace_id: ContextVar[str] = ContextVar("trace_id", default="-")

# Values under these names never reach a log, whatever the caller meant.
REDACTED = frozenset(
    {
        "password",
        "token",
        "authorization",
        "email",
        "phone",
        "name",
        "address",
        "street",
        "secret",
        "cookie",
        "refresh_token",
    }
)


class Forgiving(io.TextIOBase):
    """stderr that never raises: a log on a full disk loses lines, and nothing fails for it."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


class Foreign(logging.Formatter):
    """A line of a library that logs by the standard library, as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"level": record.levelname, "logger": record.name, "event": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(level: str) -> None:
    """Our own events from `level` up, and the warnings of libraries (uvicorn, alembic)."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_trace_id,
            _redact,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", Forgiving())),
        cache_logger_on_first_use=True,
    )
    foreign = logging.StreamHandler(cast("TextIO", Forgiving()))
    foreign.setFormatter(Foreign())
    logging.basicConfig(level=logging.WARNING, handlers=[foreign])


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger that carries the module's name; configured at its first use, so importing a module never fixes the
    format."""
    lazy: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return lazy


def _add_trace_id(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if (trace := trace_id.get()) != "-":
        event["traceId"] = trace
    return event


def _redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    for key in event:
        if key.lower() in REDACTED:
            event[key] = "[redacted]"
    return event
