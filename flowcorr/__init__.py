"""The flow collector and the correlation engine; it reads routes through `routed.rib.api` only."""
