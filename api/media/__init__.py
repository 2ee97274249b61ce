"""Pictures: taken in from bytes or from an address, made smaller, kept in an object store, served for ever."""
