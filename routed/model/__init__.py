"""Frozen values that layers pass to each other."""
