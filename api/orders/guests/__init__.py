"""Guest orders over HTTP: looked at, and claimed by a member."""
