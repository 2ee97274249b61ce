"""Statements that break an invariant by hand, and the rows of a small history that they break."""

VARIANT = "(select variant_id from product_variants order by variant_id limit 1)"
STOCK = "(select variant_id, warehouse_id from warehouse_stock order by variant_id limit 1)"
DELIVERED = "(select order_id from orders where status = 'delivered' order by order_id limit 1)"
REFUNDED = "(select order_id from orders where status = 'refunded' order by order_id limit 1)"
CANCELLED = "(select order_id from orders where status = 'cancelled' order by order_id limit 1)"
PARCELS = f"(select parcel_id from parcels where order_id = {DELIVERED})"
MOVED_BACK = (
    *(f"alter table {table} disable trigger user" for table in ("orders", "parcels", "order_items")),
    *(f"alter table {table} disable trigger user" for table in ("order_events", "outbox_events", "parcel_events")),
    f"delete from outbox_events where (aggregate_id, event_type) = ({DELIVERED}, 'OrderDelivered')",
    f"delete from parcel_events where parcel_id in {PARCELS} and to_status = 'delivered'",
    f"update order_items set status = 'shipped' where order_id = {DELIVERED}",
    f"update parcels set status = 'shipped' where order_id = {DELIVERED}",
    f"delete from order_events where (order_id, to_status) = ({DELIVERED}, 'delivered')",
    (
        "update orders set status = 'shipped' where order_id in (select order_id from parcels where status = 'shipped'"
        " and exists (select from order_items i where i.parcel_id = parcels.parcel_id))"
    ),
)
# For what breaks variants of every product, also of the one whose versions say what they were.
UNVERSIONED = (
    *(f"alter table {table} disable trigger user" for table in ("product_versions", "price_changes")),
    "delete from product_versions",
    "delete from price_changes",
)
_BEGUN, _BEGUN_EVENTS = (
    "('processing', 'shipped', 'delivered')",
    "('OrderProcessing', 'OrderShipped', 'OrderDelivered')",
)
# An order's parcels are backordered, though nothing is owed.
WAITS_IN_VAIN = (
    *(f"alter table {table} disable trigger user" for table in ("orders", "parcels", "order_items")),
    *(f"alter table {table} disable trigger user" for table in ("order_events", "outbox_events", "parcel_events")),
    f"delete from outbox_events where aggregate_id = {DELIVERED} and event_type in {_BEGUN_EVENTS}",
    f"delete from parcel_events where parcel_id in {PARCELS} and to_status in {_BEGUN}",
    f"update parcel_events set to_status = 'backordered' where parcel_id in {PARCELS} and to_status = 'confirmed'",
    f"update order_items set status = 'backordered' where order_id = {DELIVERED}",
    (
        "update parcels set status = 'backordered', expected_on = now(), begun_at = null, shipped_at = null,"
        f" delivered_at = null where order_id = {DELIVERED}"
    ),
    f"delete from order_events where order_id = {DELIVERED} and to_status in {_BEGUN}",
    (
        "update orders set status = 'confirmed', actual_delivery = null where order_id in"
        " (select order_id from parcels where status = 'backordered')"
    ),
    # A stock that has just changed has parcels that may wait a little.
    "update warehouse_stock set updated_at = now() - interval '1 day'",
)
LABEL = (
    "insert into parcel_labels (label_id, parcel_id, carrier, service, weight_grams, price, currency, asked_by, status,"
    " tracking_number, tracking_id, carriage, due, updated_at) select gen_random_uuid(), parcel_id, 'sandbox', 's', 1,"
    " 1, 'USD', 'x', 'bought', 'SBX' || parcel_id, gen_random_uuid(), {carriage}, {due}, now() - interval '1 day'"
    " from parcels where status = '{status}' limit 1"
)
SCANNED = (
    "insert into parcel_scans (carrier, event_id, tracking_id, tracking_number, kind, occurred_at, created_at)"
    " select carrier, 'evt-2', tracking_id, tracking_number, 'delivered', now(), now() - interval '1 day'"
    " from parcel_labels"
)
RESERVATION = (
    "insert into inventory_reservations (reservation_id, checkout_id, order_id, variant_id, warehouse_id, quantity,"
    " status, expires_at) select gen_random_uuid(), gen_random_uuid(), {order}, variant_id, warehouse_id, 1,"
    " '{status}', now() + interval '{expires}' from warehouse_stock order by variant_id limit 1"
)
HOLD = "update warehouse_stock set reserved = reserved + 1 where (variant_id, warehouse_id) = " + STOCK
KEY = (
    "insert into idempotency_keys (actor_key, key, route, request_hash, status, locked_until, response_status,"
    " response_body) values ('user:1', 'k', 'r', '\\x00', '{status}', now() + interval '{locked}', {response})"
)
CLAIMED = (
    "insert into carts (cart_id, session_id, expires_at, {column}) values (gen_random_uuid(), 's', now(), {value})"
)
UNTOUCHED = (
    "(select o.order_id from orders o where o.status = 'delivered' and not exists (select from returns r where"
    " r.order_id = o.order_id) order by o.order_id limit 1)"
)
EDIT = (
    "insert into order_edits (edit_id, order_id, version, point, plan, added, cancelled, charged, refunded, expires_at,"
    " actor_kind, payment_id) select gen_random_uuid(), " + UNTOUCHED + ", '', '{point}', '{{}}', 0, {cancelled}, 0,"
    " {refunded}, now(), 'customer', {payment}"
)
EXCHANGE = (
    "insert into order_exchanges (exchange_id, order_id, point, back, exchange_order_id, actor_kind, idempotency_key,"
    " lease_expires_at) select gen_random_uuid(), " + UNTOUCHED + ", '{point}', '{{}}', {order}, 'customer', 'k', now()"
)
PROMOTION = (
    "insert into promotions (promotion_id, name, kind, value, currency, starts_at, redeemed, total_limit,"
    " per_buyer_limit) values (gen_random_uuid(), 'P', 'percent', 10, 'USD', now(), {redeemed}, {total}, {buyer})"
)
REDEMPTION = (
    "insert into coupon_redemptions (redemption_id, promotion_id, order_id, code, buyer_email, discount, currency,"
    " funded_by) select gen_random_uuid(), promotion_id, order_id, 'C', 'e', {discount}, 'USD', 'shop' from promotions,"
    " (select order_id from orders where status = '{status}' order by order_id limit {orders}) o"
)
USED = "update orders set redemptions = 1 where order_id in (select order_id from coupon_redemptions)"
DISCOUNTED = (
    "insert into coupon_discounts (redemption_id, order_item_id, amount) select r.redemption_id, i.order_item_id, 0.01"
    " from coupon_redemptions r join order_items i using (order_id) order by i.order_item_id limit 1"
)


def used(orders: int = 1, total: str = "null", buyer: str = "null", **fields: str) -> tuple[str, ...]:
    """A promotion that so many orders of one buyer used."""
    redemption = REDEMPTION.format(orders=orders, **{"discount": "0", "status": "delivered", **fields})
    return (PROMOTION.format(redeemed=orders, total=total, buyer=buyer), redemption, USED)


# An invoice of 1.00 more, and a further one of it.
ONE_MORE = (
    "update invoices set total = total + 1, net = net + 1, content = content || jsonb_build_object('net', net"
    " + 1, 'total', total + 1, 'shipping', jsonb_build_object('net', net + 1))"
)
ONE_LESS = (
    "insert into invoices (invoice_id, kind, order_id, seller_id, issuer_id, year, number, document_number, edition,"
    " refunds, currency, net, tax, total, template, content, digest, issued_at) select gen_random_uuid(), kind,"
    " order_id, seller_id, issuer_id, year, 2, 'INV-2', 2, refunds, currency, -1, 0, -1, template, content ||"
    " jsonb_build_object('net', -1, 'total', -1, 'shipping', jsonb_build_object('net', -1)), digest, issued_at"
    " from invoices"
)
