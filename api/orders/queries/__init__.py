"""Reading orders, always for somebody: the buyer, a guest's session, a seller of every line, an administrator."""
