"""Events of stores. Each has `sellerId`."""

AGGREGATE = "seller"
VERIFIED = "SellerVerified"
# Of what its seller says of it.
CHANGED = "SellerChanged"
# The average over the reviews of its products is another one.
RATED = "SellerRated"
