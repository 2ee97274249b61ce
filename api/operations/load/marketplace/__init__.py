"""A generated marketplace: products, shoppers with tastes, and half a year of orders, all from one seed."""
