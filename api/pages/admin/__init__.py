"""The administrators' pages in the browser."""
