"""Commands of a seller's catalog: create, replace, change and delete a product."""

from api.catalog.commands.change import change_in, change_product, delete_product, replace_product
from api.catalog.commands.create import create_in, create_product

__all__ = ["change_in", "change_product", "create_in", "create_product", "delete_product", "replace_product"]
