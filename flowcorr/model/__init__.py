"""What the daemon says about flows and exporters, as values."""
