"""The one exception for octets that break a specification."""


class WireError(Exception):
    """A peer's octets break the specification.

    `offset` counts from the start of the PDU, `source` names the clause that is broken.
    A decoder raises; it never chooses the consequences.
    """

    def __init__(self, what: str, offset: int, source: str = "") -> None:
        super().__init__(what, offset, source)
        self.what = what
        self.offset = offset
        self.source = source

    def __str__(self) -> str:
        place = f"{self.what} at octet {self.offset}"
        return f"{place} ({self.source})" if self.source else place
