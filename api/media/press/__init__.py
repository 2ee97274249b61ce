"""Makes the sizes of a picture in a process of its own, which hostile content may break or hold up."""
