"""Where the seeds of decoders lie: the kept corpus, whole and cut to what a decoder reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.oracles.cases import CASES

CORPUS: Final = Path(__file__).parent / "corpus"


def corpus(folder: str) -> Sequence[bytes]:
    """Read the kept files of a folder, in a fixed order."""
    return tuple(path.read_bytes() for path in sorted((CORPUS / folder).iterdir()))


def updates() -> Sequence[bytes]:
    return (*corpus("update"), *(case.octets for case in CASES))


def messages() -> Sequence[bytes]:
    return (*corpus("message"), *corpus("update"))


def bodies(octets: Sequence[bytes]) -> Sequence[bytes]:
    return tuple(message[19:] for message in octets)


def bmp_messages() -> Sequence[bytes]:
    return corpus("bmp")


def monitoring() -> Sequence[bytes]:
    """Runs of Route Monitoring, and the single messages."""
    return (*corpus("monitoring"), *(message for message in bmp_messages() if message[5] == 0))


def of_type(kind: int) -> Sequence[bytes]:
    return bodies([message for message in corpus("message") if message[18] == kind])


def capabilities() -> Sequence[bytes]:
    """Capabilities alone: (code u8, length u8, value) from the optional parameters of the OPENs."""
    found = []
    for body in of_type(1):
        parameters = body[10:]
        while parameters:
            kind, value, parameters = parameters[0], parameters[2 : 2 + parameters[1]], parameters[2 + parameters[1] :]
            while kind == 2 and value:
                found.append(value[: 2 + value[1]])
                value = value[2 + value[1] :]
    return tuple(dict.fromkeys(found))
