"""Invariants of what is one article."""

from api.catalog.statements import article_of
from api.kernel.invariants import Check

_EDGES = """
    edges AS (
      SELECT article_id, other_article_id FROM offer_matches WHERE decision = 'confirmed'
      UNION SELECT other_article_id, article_id FROM offer_matches WHERE decision = 'confirmed')"""

CHECKS: tuple[Check, ...] = (
    Check(
        "R-I38-article",
        "a product is the article of its lowest GTIN, or, without one, its own where that is joined with another",
        f"""
        SELECT product_id, article_id, expected FROM (
          SELECT p.product_id, p.article_id, {article_of("p.product_id")} AS expected FROM products p) p
        WHERE expected IS DISTINCT FROM article_id AND (expected IS NOT NULL OR article_id <> product_id)
        """,
    ),
    Check(
        "R-I38-joined",
        "articles are joined exactly as the confirmed matches say",
        f"""
        WITH RECURSIVE {_EDGES},
        reached AS (
          SELECT article_id, article_id AS other FROM edges
          UNION SELECT r.article_id, e.other_article_id FROM reached r JOIN edges e ON e.article_id = r.other),
        expected AS (
          SELECT article_id, (array_agg(other ORDER BY other))[1] AS joined_id
          FROM reached GROUP BY 1 HAVING count(*) > 1)
        SELECT article_id, e.joined_id AS expected, j.joined_id AS kept
        FROM expected e FULL JOIN joined_articles j USING (article_id)
        WHERE e.joined_id IS DISTINCT FROM j.joined_id
        """,
    ),
)
