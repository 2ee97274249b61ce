"""Products of several sellers that seem to be one article: administrators say whether they are."""
