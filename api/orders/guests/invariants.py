"""Invariants of mailed codes and of the mails that have them."""

from api.kernel.invariants import Check

# Mails are forgotten after a time of the operator's choice: what is looked at is of the last hour, and not older than
# the oldest mail. Without mails nothing is.
_LATELY = """BETWEEN (SELECT greatest(now() - interval '1 hour', min(created_at)) FROM mails HAVING count(*) > 0)
              AND now()"""

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I19-used",
        "an order whose code was used is a member's",
        """
        SELECT t.token_id, t.order_id FROM order_tokens t JOIN orders o ON o.order_id = t.order_id
        WHERE t.used_at IS NOT NULL AND o.user_id IS NULL
        """,
    ),
    Check(
        "R-I19-mail",
        "an order whose confirmation was published has a mail, when its buyer has an address",
        f"""
        SELECT e.event_id, o.order_id
        FROM outbox_events e
        JOIN orders o ON o.order_id = e.aggregate_id
        LEFT JOIN users u ON u.user_id = o.user_id
        WHERE e.aggregate_type = 'order' AND e.event_type = 'OrderPlaced' AND e.origin = 'native'
          AND e.published_at IS NOT NULL AND e.created_at {_LATELY}
          AND coalesce(o.guest_email, u.email) IS NOT NULL
          AND NOT EXISTS (SELECT FROM mails m WHERE m.mail_id = e.event_id)
        """,
    ),
)
