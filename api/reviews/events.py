"""Events of reviews. The payload of each has `productId`, `sellerId`, `rating` and `status`: never a text."""

AGGREGATE = "review"
SUBMITTED, EDITED, DELETED, DECIDED = "ReviewSubmitted", "ReviewEdited", "ReviewDeleted", "ReviewDecided"
VERIFIED = "ReviewVerified"
# The buyer of a line is asked for a review now.
REQUESTED = "ReviewRequested"
