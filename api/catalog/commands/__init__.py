"""Commands of a seller's catalog: create, replace, change and delete a product."""

from api.catalog.commands.change import change_product, delete_product, replace_product
from api.catalog.commands.create import create_product

__all__ = ["change_product", "create_product", "delete_product", "replace_product"]
