"""What a line of an order says of the thing that was bought, the same to its buyer and its seller."""

from sqlalchemy import func, literal_column

from api.orders.models import OrderItem

# Null for a moment in a row that a process of the release before wrote during the migration, as the two after it.
TITLE = func.coalesce(OrderItem.title, "").label("title")
BOUGHT = (
    TITLE,
    func.coalesce(OrderItem.sku, "").label("sku"),
    func.coalesce(OrderItem.attributes, literal_column("'{}'::jsonb")).label("attributes"),
    OrderItem.image_url,
    OrderItem.condition,
    OrderItem.min_age,
    OrderItem.kit,
)
