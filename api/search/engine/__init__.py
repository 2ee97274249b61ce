"""The search engine behind one interface: index, matching, and where it is stored."""
