"""Twisted: sockets, clocks, files, and the collector that turns events into tables and records."""
