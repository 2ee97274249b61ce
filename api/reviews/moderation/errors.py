"""Errors of the moderation of reviews."""

from api.kernel.errors import Conflict


class ReviewDecided(Conflict):
    """`decision` in the document: what was decided."""

    title, code = "This was decided already", "review-decided"


class NotAppealable(Conflict):
    title, code = "There is nothing to appeal against", "not-appealable"


class AlreadyAppealed(Conflict):
    title, code = "You have appealed already", "already-appealed"
