"""Sockets, timers and writers of flow daemons (Twisted)."""
