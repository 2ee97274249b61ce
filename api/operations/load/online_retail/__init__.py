"""A real retail set: lines of orders with customers, items, prices and times, in the
form of UCI "Online Retail" or a copy of it."""
