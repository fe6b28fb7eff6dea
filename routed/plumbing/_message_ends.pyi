def row_ends(octets: bytes) -> bytes:
    """Return where rows end, without their newlines: a native u32 each. There must be less than 4 GiB of them."""

def stamp(octets: bytes, ending: bytes) -> tuple[bytes, bytes]:
    """Return rows of JSON, each with `ending` in the place of its last brace, and where they end now.

    Newlines stay where they are.
    """

def bundle_ends(ends: bytes, most: int) -> bytes:
    """Return where bundles of rows end that have at most `most` octets, newlines between; a longer row is alone."""
