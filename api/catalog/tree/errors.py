"""Errors of changes of the category tree."""

from api.kernel.errors import Conflict


class CategoryNameTaken(Conflict):
    """`categoryId` in the document: the category next to it that has the name."""

    title, code = "A category here has this name", "category-name-taken"


class CategoryNotEmpty(Conflict):
    """It has products or categories; move them, or merge the category into another."""

    title, code = "The category is not empty", "category-not-empty"


class CategoryCycle(Conflict):
    title, code = "A category cannot be below itself", "category-cycle"


class CategoryTooDeep(Conflict):
    title, code = "The category tree would be too deep", "category-too-deep"
