"""The client side of the looking glass."""
