"""Around what is on sale: questions and answers, brands, products side by side, and what a shopper looked at."""
