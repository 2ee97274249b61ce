"""Invariants of bulk jobs."""

from api.kernel.invariants import Check

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I26-rows",
        "a bulk job counts each row of its report once, and no row beyond the place that it has reached",
        """
        SELECT j.job_id, j.rows, r.rows AS reported, r.failed, r.last FROM bulk_jobs j
        CROSS JOIN LATERAL (
          SELECT count(*) AS rows, count(*) FILTER (WHERE result = 'failed') AS failed, coalesce(max(row), 0) AS last
          FROM bulk_rows WHERE job_id = j.job_id
        ) r
        WHERE (j.rows, j.failed) <> (r.rows, r.failed) OR r.last > j.at_row
           OR j.rows <> j.created + j.updated + j.unchanged + j.failed
        """,
    ),
)
