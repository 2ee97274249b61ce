"""The administrators' page of reviews that wait."""
