"""Wire formats as values: decoding and encoding, without state."""
