"""Structured logs: one JSON object a line, with the trace id of the request, and never personal data."""

import io
import logging
import sys
from contextlib import suppress
from contextvars import ContextVar
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

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
    """stderr that never raises: a log on a full disk loses lines, and no request fails for it."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


def configure(level: str) -> None:
    """JSON lines on stderr, for our own events and for the libraries' (uvicorn, alembic)."""
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
    logging.basicConfig(
        level=logging.WARNING,
        stream=sys.stderr,
        format='{"level": "%(levelname)s", "logger": "%(name)s", "event": "%(message)s"}',
    )


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger that carries the module's name; configured at its first use, so importing a module never fixes the
    format."""
    lazy: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return lazy


def _add_trace_id(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    event["traceId"] = trace_id.get()
    return event


def _redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    for key in event:
        if key.lower() in REDACTED:
            event[key] = "[redacted]"
    return event
