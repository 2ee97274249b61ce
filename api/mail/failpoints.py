"""Places between taking a mail, delivering it and noting that it was delivered."""

POINTS = frozenset({"mail.before_delivery", "mail.after_delivery"})
