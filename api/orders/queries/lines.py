"""What a line of an order says of the thing that was bought, the same to its buyer and its seller."""

from sqlalchemy import case, func, literal_column

from api.catalog.artwork import artwork_path_of
from api.orders.models import OrderItem

# Null for a moment in a row that a process of the release before wrote during the migration, as the two after it.
TITLE = func.coalesce(OrderItem.title, "").label("title")
# An address elsewhere is of a time at which the shop linked to such: its server is not asked for a picture any more.
IMAGE = case(
    (OrderItem.image_url.like("http%"), artwork_path_of(OrderItem.product_id)), else_=OrderItem.image_url
).label("image_url")
BOUGHT = (
    TITLE,
    func.coalesce(OrderItem.sku, "").label("sku"),
    func.coalesce(OrderItem.attributes, literal_column("'{}'::jsonb")).label("attributes"),
    IMAGE,
    OrderItem.condition,
    OrderItem.min_age,
    OrderItem.kit,
)
