"""End-of-RIB markers."""

import pytest

from routed.octets import Cursor, Writer
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.end_of_rib import encode_end_of_rib
from routed.wire.bgp.update import decode_update
from routed.wire.family import IPV4_UNICAST, IPV6_VPN, STORABLE


def encoded(family):
    w = Writer()
    encode_end_of_rib(w, family)
    return bytes(w)


def test_examples():
    """RFC 4724 section 2."""
    assert encoded(IPV4_UNICAST).hex() == "00000000"
    assert encoded(IPV6_VPN).hex() == "00000006800f03000280"


@pytest.mark.parametrize("family", sorted(STORABLE), ids=str)
def test_our_own_decoder_knows_it(family):
    assert decode_update(Cursor(encoded(family)), DecodeContext(families=STORABLE)).end_of_rib == family
