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
# A word of the title, or of the category's own name, once more, by their length alone: a word that fills them says what
# the thing is. On sets made of real titles (`souk bench relevance`) 2 to 4 are alike: less is better where descriptions
# are true of the thing (1 instead of 4: +.008 of NDCG@10), more where they name other things (+.012). Without the name
# of the category products whose titles do not say what they are lose .07.
IN_TITLE = 2.5

# An accepted synonym is a little less than the word that was typed; of several words, each has its part of that.
SYNONYM = 0.8
# Two words that were typed as the one word that they make: a rare word, which must not outrank the two as they were
# typed. `moroccan oil` is an oil before it is a product of the brand Moroccanoil.
JOINED = 0.5
# What an unknown word may have been meant for, the likeliest first: the others follow closely, so that a shopper sees
# them among the first results. With the likeliest alone 87 to 89 % of wrong words find what was meant among the first
# five, with these 93 to 94 %; queries of several words lose .02 of NDCG@10 on one set and gain .03 on the other.
MEANT = (1.0, 0.95, 0.9, 0.85, 0.8, 0.8, 0.8)
# A compound that has the word as a part: less, because the part need not be what the thing is.
COMPOUND = 0.5
# Words that say that someone shops, not what for: they order what else is equal.
FILLER = 0.05

# What a product with all words has of their scores again, where those with some are found too. From 0 to 0.5 gains
# .008 to .011 of NDCG@10 where products are judged by what they are, and costs .002 where they are judged by how many
# words of their titles are asked for; 1 costs .01 there.
ALL_WORDS = 0.5

# With fewer products that have all words, those with some of them are found too: a first page is full. 10 loses up to
# .014 of NDCG@10, without a limit (always) up to .008.
FILL_BELOW = 20
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
