"""Write a review, and change it."""
