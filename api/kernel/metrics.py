"""Prometheus metrics of the API process.

Labels are route templates, never paths, so that their number stays bounded.
"""

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

REQUESTS = Counter("souk_requests_total", "Answered requests", ["method", "route", "status"])
LATENCY = Histogram(
    "souk_request_seconds",
    "Seconds to answer",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)

READS = Counter("souk_reads_total", "Round trips of reads that may be old, by the server that answered", ["server"])
BEHAVIOUR_EVENTS = Counter("souk_behaviour_events_total", "Behaviour events by what became of them", ["outcome"])


def render() -> tuple[bytes, str]:
    """The exposition text and its content type."""
    return generate_latest(), CONTENT_TYPE_LATEST
