from flowcorr.collect._datagrams import Datagrams

class Receiver:
    """Fetches datagrams from a socket, up to `count` at once.

    Attributes:
        datagrams: what the last call fetched; their octets are good up to the next one.
        dropped: datagrams that the system dropped because the socket's buffer was full (with SO_RXQ_OVFL set).
    """

    datagrams: Datagrams
    dropped: int
    def __init__(self, count: int = 256) -> None: ...
    def receive(self, fd: int) -> int:
        """Fetch what is there, without waiting, and return how many datagrams that is.

        Raises: OSError.
        """
