"""The pictures of a product: added, described, put in order and removed one by one; and drawn where there are none."""
