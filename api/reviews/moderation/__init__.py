"""Whether a review is shown: what is judged before it is stored."""
