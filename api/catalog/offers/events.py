"""Events of what is one article. `articleIds` of each: the articles whose products are offered with others now."""

# Of a product whose variants have another lowest GTIN, or none; a part of the statement that keeps its version.
LEFT = "ProductLeftArticle"
# Of the match of an administrator.
JOINED, PARTED = "ArticlesJoined", "ArticlesParted"
ARTICLE_EVENTS = frozenset({LEFT, JOINED, PARTED})
