"""The SQL of a new review: its row by author and product, and the one with its text, in one statement."""

from collections.abc import Mapping

from api.kernel.statement import Part

_WRITE = """indexed AS (
    INSERT INTO reviews_by_user (user_id, product_id, review_id, seller_id, order_id, rating, verified_purchase, status,
                                 text_digest, created_at)
    SELECT CAST(:review_author AS uuid), CAST(:review_product AS uuid), CAST(:review_id AS uuid),
           CAST(:review_seller AS uuid), CAST(:review_order AS uuid), CAST(:review_rating AS smallint),
           CAST(:review_order AS uuid) IS NOT NULL, CAST(:review_status AS text), CAST(:review_digest AS text), now()
    FROM gate
    RETURNING user_id, product_id, review_id, seller_id, order_id, rating, verified_purchase, status, created_at),
written AS (
    INSERT INTO reviews (user_id, product_id, review_id, seller_id, order_id, rating, verified_purchase, status,
                         created_at, title, comment, language, images, score)
    SELECT i.*, CAST(:review_title AS text), CAST(:review_comment AS text), CAST(:review_language AS text),
           CAST(:review_images AS text[]), CAST(:review_score AS float8)
    FROM indexed i
    RETURNING 1)"""

_ROWS = frozenset({"reviews_by_user", "reviews"})


def write_part(review: Mapping[str, object]) -> Part:
    """Both rows of a review, by the names of their columns; a purchase is verified by `order_id`."""
    values = {
        "review_author": review["user_id"],
        "review_product": review["product_id"],
        "review_id": review["review_id"],
        "review_seller": review["seller_id"],
        "review_order": review["order_id"],
        "review_rating": review["rating"],
        "review_status": review["status"],
        "review_digest": review["text_digest"],
        "review_title": review["title"],
        "review_comment": review["comment"],
        "review_language": review["language"],
        "review_images": review["images"],
        "review_score": review["score"],
    }
    return Part(_WRITE, values, makes=("indexed", "written"), needs=("gate",), writes=_ROWS)
