"""Access to orders: the conditions that every statement on an actor's orders contains."""

from sqlalchemy import Boolean, String, Uuid, and_, bindparam, exists, or_

from api.kernel.actor import Actor
from api.orders.models import Order, OrderItem

_USER, _SESSION = bindparam("actor_user", type_=Uuid), bindparam("actor_session", type_=String)
SELLER, IS_ADMIN = bindparam("actor_seller", type_=Uuid), bindparam("actor_admin", type_=Boolean)
_OTHERS_LINE = exists().where(OrderItem.order_id == Order.order_id, OrderItem.seller_id != SELLER)
IS_BUYER = or_(Order.user_id == _USER, and_(Order.user_id.is_(None), Order.guest_session == _SESSION))
IS_SELLER = and_(SELLER.is_not(None), ~_OTHERS_LINE)
_SELLS_A_LINE = exists().where(OrderItem.order_id == Order.order_id, OrderItem.seller_id == SELLER)
# Decides the returns of their own lines; `decide` leaves those of other sellers out.
MAY_DECIDE = and_(SELLER.is_not(None), _SELLS_A_LINE)
# Every WHERE contains the actor, so other people's orders are never found.
MAY_SEE = or_(IS_BUYER, IS_SELLER, IS_ADMIN)


def actor_values(actor: Actor, reason: str | None = None) -> dict[str, object]:
    """Binds of MAY_SEE and of `privacy.seen`. An actor without user and session matches nothing;
    the shop itself (`service`) sees every order.

    `reason`: why an administrator asks for what the buyer alone sees.
    """
    return {
        "actor_reason_given": reason is not None,
        "actor_user": actor.user_id,
        "actor_session": None if actor.signed_in else actor.session_id,
        "actor_seller": actor.user_id if actor.kind == "seller" else None,
        "actor_admin": actor.kind in {"admin", "service"},
    }
