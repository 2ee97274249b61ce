"""Exchanges on their way: an order is left to one from its request until its return is asked for, or nothing came."""
