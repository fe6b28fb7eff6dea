"""The stores of routes: a single writer, many readers."""
