"""Who wrote a PDU: a password in clear text, HMAC-MD5 (RFC 5304), HMAC of any hash (RFC 5310).

The digest covers the whole PDU, with the digest's own octets, and of an LSP what changes on the way, set to fixed
values: zeros, except that the generic form fills the place of the digest with a pattern.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from routed.octets import Cursor, WireError, Writer
from routed.wire.isis.checksum import CHECKSUM_AT
from routed.wire.isis.codepoints import SHAPES, AuthenticationType, PduType, TlvType
from routed.wire.isis.tlv import Authentication, encode_tlv, walk_tlvs

#: By name: octets of the digest (RFC 5310 section 3.1).
HASHES: Final[Mapping[str, int]] = {"sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64}
#: The longest password that fits into a TLV, behind the type. Units: octets.
MAX_SECRET: Final = 254

_MD5_OCTETS: Final = 16
_KEY_ID_OCTETS: Final = 2
#: What fills the place of a generic digest while it is computed (RFC 5310 section 3.4).
_PATTERN: Final = b"\x87\x8f\xe1\xf3"
_LIFETIME_AT: Final = 10
_LSPS: Final = frozenset({PduType.LSP_1, PduType.LSP_2})


@dataclass(frozen=True, slots=True)
class Key:
    """A shared secret and how it is used; key id and hash are of the generic form."""

    kind: AuthenticationType
    secret: bytes = field(repr=False)
    key_id: int = 0
    hash: str = "sha256"

    @property
    def blank(self) -> Authentication:
        """What stands in a PDU before it is signed."""
        match self.kind:
            case AuthenticationType.CLEAR_TEXT:
                return Authentication(self.kind, self.secret)
            case AuthenticationType.HMAC_MD5:
                return Authentication(self.kind, bytes(_MD5_OCTETS))
            case _:
                octets = HASHES[self.hash]
                return Authentication(self.kind, self.key_id.to_bytes(_KEY_ID_OCTETS, "big") + _PATTERN * (octets // 4))


class _Place(NamedTuple):
    """Where the authentication of a PDU stands: its value, behind the type of authentication."""

    kind: int
    at: int
    octets: bytes


def encode_authentication(w: Writer, authentication: Authentication | None, key: Key | None) -> None:
    """Encode room for the digest of a key, else what is given, if anything."""
    authentication = authentication if key is None else key.blank
    if authentication is not None:
        encode_tlv(w, TlvType.AUTHENTICATION, bytes((authentication.kind,)) + authentication.octets)


def sign(kind: PduType, pdu: bytes, key: Key | None) -> bytes:
    """Return a whole PDU, which has room for it, with the digest of a key."""
    if key is None or key.kind == AuthenticationType.CLEAR_TEXT:
        return pdu
    (place,) = _places(kind, pdu)
    digest = _digest(kind, pdu, key, place)
    at = place.at + len(place.octets) - len(digest)
    return pdu[:at] + digest + pdu[at + len(digest) :]


def is_authentic(kind: PduType, pdu: bytes, keys: Iterable[Key]) -> bool:
    """Tell whether a whole PDU was written by somebody who knows one of the keys.

    It has to have exactly one authentication (RFC 5304 section 2 leaves more than one to the reader).
    """
    try:
        places = _places(kind, pdu)
    except WireError:
        return False
    return len(places) == 1 and any(_is_of(kind, pdu, key, places[0]) for key in keys)


def _is_of(kind: PduType, pdu: bytes, key: Key, place: _Place) -> bool:
    blank = key.blank
    if place.kind != key.kind:
        return False
    if key.kind == AuthenticationType.CLEAR_TEXT:
        return hmac.compare_digest(place.octets, key.secret)
    if len(place.octets) != len(blank.octets):
        return False
    prefix = _KEY_ID_OCTETS if key.kind == AuthenticationType.GENERIC else 0
    if place.octets[:prefix] != blank.octets[:prefix]:
        return False
    return hmac.compare_digest(place.octets[prefix:], _digest(kind, pdu, key, place))


def _places(kind: PduType, pdu: bytes) -> list[_Place]:
    start = SHAPES[kind][0]
    found = []
    for tlv, value in walk_tlvs(Cursor(pdu[start:], start)):
        if tlv is TlvType.AUTHENTICATION and value.remaining:
            found.append(_Place(value.u8(), value.offset, value.rest()))
    return found


def _digest(kind: PduType, pdu: bytes, key: Key, place: _Place) -> bytes:
    """Compute the digest of a PDU.

    Source: RFC 5304 section 2, RFC 5310 sections 3.3 to 3.5.
    """
    covered = bytearray(pdu)
    covered[place.at : place.at + len(place.octets)] = key.blank.octets
    if kind in _LSPS:
        covered[_LIFETIME_AT : _LIFETIME_AT + 2] = covered[CHECKSUM_AT : CHECKSUM_AT + 2] = b"\0\0"
    if key.kind == AuthenticationType.HMAC_MD5:
        return hmac.digest(key.secret, covered, "md5")
    return hmac.digest(_prepared(key), covered, key.hash)


def _prepared(key: Key) -> bytes:
    """Return a secret as long as the digest (RFC 5310 section 3.3): HMAC itself would take a longer one as it is."""
    octets = HASHES[key.hash]
    if len(key.secret) > octets:
        return hashlib.new(key.hash, key.secret).digest()
    return key.secret.ljust(octets, b"\0")
