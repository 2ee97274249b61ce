"""One request for recommendations, from candidates to reasons."""
