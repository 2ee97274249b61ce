"""Exchange rates by day: what a file says (`files`), and the rows that Postgres then has (`write`)."""
