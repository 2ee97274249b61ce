"""The worker's part: what the rows of a file ask for, and the commits in which it is done."""
