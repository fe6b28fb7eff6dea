"""System ids, LSP ids and network entity titles as people write them, such as 1921.6800.1001.00-00."""

import re
from typing import Final, NamedTuple

from routed.wire.isis.codepoints import NODE_OCTETS, SYSTEM_ID_OCTETS
from routed.wire.isis.tlv import MAX_AREA

_HEX: Final = re.compile(r"[0-9a-fA-F.]+")
#: Area of one octet, system id, selector (ISO/IEC 10589 section 7.1).
_SHORTEST: Final = 1 + SYSTEM_ID_OCTETS + 1


class EntityTitle(NamedTuple):
    """A network entity title without its selector, which is 0."""

    area: bytes
    system_id: bytes


def parse_entity_title(text: str) -> EntityTitle:
    """Parse a network entity title.

    Raises: ValueError with what is wrong.
    """
    digits = text.replace(".", "")
    if not _HEX.fullmatch(text) or len(digits) % 2:
        raise ValueError(f"{text!r} is not pairs of hexadecimal digits with dots between them")
    octets = bytes.fromhex(digits)
    if not _SHORTEST <= len(octets) <= MAX_AREA:
        raise ValueError(f"{len(octets)} octets are not {_SHORTEST} to {MAX_AREA}")
    if octets[-1]:
        raise ValueError(f"the selector is {octets[-1]:02x} and not 00")
    return EntityTitle(octets[: -SYSTEM_ID_OCTETS - 1], octets[-SYSTEM_ID_OCTETS - 1 : -1])


def format_system_id(system_id: bytes) -> str:
    """Format a system id as three groups of four digits."""
    return system_id.hex(".", 2)


def format_node(node: bytes) -> str:
    """Format a system id and the number of a pseudonode."""
    return f"{format_system_id(node[:SYSTEM_ID_OCTETS])}.{node[SYSTEM_ID_OCTETS:].hex()}"


def format_lsp_id(lsp_id: bytes) -> str:
    """Format an LSP id: node, hyphen, fragment."""
    return f"{format_node(lsp_id[:NODE_OCTETS])}-{lsp_id[NODE_OCTETS:].hex()}"


def format_area(area: bytes) -> str:
    """Format an area address: the first octet, then groups of two."""
    groups = [area[at : at + 2].hex() for at in range(1, len(area), 2)]
    return ".".join((area[:1].hex(), *groups))
