"""Pages on paper: the same content gives the same bytes, in every script that a buyer writes in. Knows no noun."""
