"""What books sales and refunds never changes: Postgres refuses to move or remove an event."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_REFUSE = """
CREATE FUNCTION refuse_change_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed: they book what happened, add a row instead', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$
"""
# An event goes with what it is an event of, by its foreign key: then that row is gone already.
_KEEP = """
CREATE FUNCTION keep_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM {of} WHERE {key} = OLD.{key}) THEN
        RAISE EXCEPTION 'rows of {table} go with their row of {of} only' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$
"""
# Every column but the free text of a reason, which an erasure blanks.
_BOOKED = {
    "order_events": "order_event_id, order_id, sequence, from_status, to_status, actor_kind, created_at",
    "return_events": (
        "return_id, to_status, order_id, order_item_id, seller_id, quantity, refund_amount, currency, created_at"
    ),
}


def upgrade() -> None:
    op.execute(_REFUSE)
    for table, of, key in (("order_events", "orders", "order_id"), ("return_events", "returns", "return_id")):
        op.execute(_KEEP.format(table=table, of=of, key=key))
        op.execute(
            f"CREATE TRIGGER {table}_never_change BEFORE UPDATE OF {_BOOKED[table]} ON {table}"
            " FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION refuse_change_of_event()"
        )
        op.execute(f"CREATE TRIGGER {table}_stay BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION keep_{table}()")
