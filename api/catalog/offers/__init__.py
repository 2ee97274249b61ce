"""Several sellers offer one article: which products are one, what each offer costs, and which one is featured."""
