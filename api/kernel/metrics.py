"""Prometheus metrics of the API process.

Labels are route templates, never paths, so that their number stays bounded.
"""

from functools import cache

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

PAGES = Counter(
    "souk_pages_total",
    "Ready pages served, by where they came from: process, redis, built (kept from then on), bypassed (not kept)",
    ["kind", "source"],
)
PAGE_WAITS = Counter("souk_page_waits_total", "Requests that waited for a page that another one was filling", ["kind"])
PAGE_DROPS = Counter("souk_page_drops_total", "Pages of this process that a change put out of date")


@cache
def _pages(kind: str, source: str) -> Counter:
    return PAGES.labels(kind, source)


def page_served(kind: str, source: str) -> None:
    """Count one page; the label's counter is looked up once."""
    _pages(kind, source).inc()


def render() -> tuple[bytes, str]:
    """The exposition text and its content type."""
    return generate_latest(), CONTENT_TYPE_LATEST
