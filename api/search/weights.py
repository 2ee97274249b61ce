"""What a search result's score is made of: every number that ranks, with the reason for it."""

# How often the words of a part stand in the combined field of a product, so that one list of postings says for each
# word where it is and how much that counts. A title says what the thing is, its category what kind of thing; a
# description names much that the thing is not.
TITLE = 3
BRAND = 1
CATEGORY = 2
VALUES = 1
DESCRIPTION = 1

# Words that stand side by side in the title as they were typed.
PHRASE = 0.5
# A word of the title once more, by the length of the title alone: a word that fills one says what the thing is. On sets
# made of real titles (`souk bench relevance`) 2 to 4 are alike, and 0.3 loses .01 of NDCG@10.
IN_TITLE = 3.0

# An accepted synonym is a little less than the word that was typed.
SYNONYM = 0.8
# Two words that were typed as the one word that they make: a rare word, which must not outrank the two as they were
# typed. `moroccan oil` is an oil before it is a product of the brand Moroccanoil.
JOINED = 0.5
# A compound that has the word as a part: less, because the part need not be what the thing is.
COMPOUND = 0.5
# Words that say that someone shops, not what for: they order what else is equal.
FILLER = 0.05

# What a product with all words has of their scores again, where those with some are found too. More, or all of them
# first, loses .01 to .04 of NDCG@10 on those sets: what has the last word only in its description is no better.
ALL_WORDS = 0.3

# With fewer products that have all words, those with some of them are found too.
FILL_BELOW = 10
# Words that more than this share of the products have do not fill: everything would be found.
TOO_COMMON = 0.1
# A word of fewer products is never too common: they are read at once.
COMMON_FROM = 1_000
# So many of the rarest words fill: more take long and change nothing.
MOST_FILLING = 6

# The most that a popular product's score is multiplied by: twice as many sales must not outrank a better match.
MOST_POPULAR = 1.1
# The popularity (`documents.popularity`) that has it: about 3,000 sales.
POPULAR_AT = 2.6

# A product whose SKU or GTIN was typed stands before every other one: no text score comes near.
CODE = 10_000.0
# The same for a word of a longer text, which may be a number by chance.
CODE_IN_TEXT = 10.0

# The first results that stages reorder: enough for two pages, few enough to score each within milliseconds.
STAGED = 40
# Of a result's score after the semantic stage, the part that is how near its text is to the query's; the rest is the
# engine's. See "Semantic stage" in docs/search.md for what it was chosen by.
SEMANTIC = 0.4
# The most that a result's score is multiplied by for being the shopper's own: it decides between matches of a kind,
# and never lifts what does not match.
MOST_PERSONAL = 1.1
