"""The flow daemons and their configuration."""
