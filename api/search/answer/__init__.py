"""What a search answers around its results: counts with names, marks, help."""
