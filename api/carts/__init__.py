"""Shopping carts of members and guests."""
