"""What a shopper may have meant: completions of what is typed, and words near one that the catalog does not have."""
