"""Auditing somebody else's optimizer: which reorderings lie between two networks, and whether each is right."""
