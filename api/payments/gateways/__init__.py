"""One adapter per kind of payment gateway behind one interface, and the registry that finds a gateway by its name."""
