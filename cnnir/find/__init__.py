"""Patterns over the layers of a network."""
