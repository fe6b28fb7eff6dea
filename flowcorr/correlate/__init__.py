"""Routes, tags and keys of flows."""
