"""The category tree: what administrators change in it, and where what was changed is found."""
