class Texts:
    """Octet strings by 32-bit id, equal strings equal ids; 0 is the empty one.

    An id is valid until `sweep`, or for as long as it is held (`hold`, by aggregations for the keys they keep).
    """

    count: int
    octets: int
    most_octets: int
    refused: int
    def __init__(self, most_octets: int = ...) -> None: ...
    def id_of(self, octets: bytes) -> int:
        """Return the id of a string; 0, counted in `refused`, when it would take more memory than allowed."""
    def octets_of(self, id: int) -> bytes:
        """Return the string of an id.

        Raises: KeyError for an id that names nothing.
        """
    def hold(self, id: int) -> None: ...
    def release(self, id: int) -> None: ...
    def sweep(self) -> int:
        """Free the strings interned since the last sweep that nobody holds; return how many."""
