"""Background work on orders: refunds that the gateway has not answered yet."""

from __future__ import annotations

from api.kernel.jobs import Job
from api.orders.refunds import settle_refunds

JOBS = (Job("refund settler", 2.0, settle_refunds),)
