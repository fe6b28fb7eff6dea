def stamp(octets: bytes, ending: bytes) -> bytes:
    """Return rows of JSON, each with `ending` in the place of its last brace; newlines stay where they are."""

def row_ends(octets: bytes) -> bytes:
    """Return where rows end, without their newlines: a native u32 each. There must be less than 4 GiB of them."""

def bundle_ends(octets: bytes, most: int) -> bytes:
    """Return the same of bundles of rows of at most `most` octets, newlines between; a longer row is alone."""
