"""The routing plane: BGP (and, as they come, BMP, IS-IS and RTR) sessions, RIBs, logs and dumps."""
