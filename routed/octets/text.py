"""UTF-8 text in fields of limited length."""


def cut_utf8(text: str, most: int) -> bytes:
    """Return the longest beginning of a text, in whole characters, that fits so many octets."""
    return text.encode()[:most].decode(errors="ignore").encode()
