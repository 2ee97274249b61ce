"""Errors of the catalog."""

from api.kernel.errors import Conflict, NotFound, PreconditionFailed


class ProductNotFound(NotFound):
    title, code = "No such product", "product-not-found"


class VariantNotFound(NotFound):
    title, code = "No such variant", "variant-not-found"


class CategoryNotFound(NotFound):
    title, code = "No such category", "category-not-found"


class SkuTaken(Conflict):
    title, code = "The SKU is in use", "sku-taken"


class GtinTaken(Conflict):
    """`productId` in the document: the seller's product that has it."""

    title, code = "The GTIN is in use", "gtin-taken"


class DuplicateProduct(Conflict):
    """`productId` and `link` in the document: the seller's product that is the same."""

    title, code = "You sell this already", "duplicate-product"


class ProductChanged(PreconditionFailed):
    """Someone saved the product after the version named in If-Match."""

    title, code = "The product changed in the meantime", "product-changed"
