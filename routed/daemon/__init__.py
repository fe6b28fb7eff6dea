"""The daemons: their keys, their settings, and how each is put together."""
