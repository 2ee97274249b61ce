"""Reads files into the arrays that models train on."""
