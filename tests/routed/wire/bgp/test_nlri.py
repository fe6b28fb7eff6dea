import pytest

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp.nlri import Nlri, decode_nlri, encode_nlri
from routed.wire.family import IPV4_LABELED, IPV4_UNICAST, IPV4_VPN, IPV6_UNICAST, IPV6_VPN, STORABLE, Family
from routed.wire.prefix import parse_prefix
from routed.wire.rd import parse_rd

V4, V6 = parse_prefix("10.1.0.0/20"), parse_prefix("2001:db8::/33")


def routes_of(family: Family, path_id: int | None) -> tuple[Nlri, ...]:
    prefixes = (V4, parse_prefix("0.0.0.0/0")) if family.afi == 1 else (V6, parse_prefix("::/0"))
    labels = (24000, 17) if family.safi in {4, 128} else ()
    rd = parse_rd("0:65000:1") if family.safi == 128 else None
    return tuple(Nlri(prefix, path_id, labels, rd) for prefix in prefixes)


@pytest.mark.parametrize("path_id", [None, 7])
@pytest.mark.parametrize("family", sorted(STORABLE), ids=str)
def test_routes_of_every_family_survive_the_round_trip(family: Family, path_id: int | None) -> None:
    routes, w = routes_of(family, path_id), Writer()
    encode_nlri(w, routes, family)
    assert decode_nlri(Cursor(bytes(w)), family, add_path=path_id is not None) == routes


@pytest.mark.parametrize("family", [IPV4_LABELED, IPV4_VPN, IPV6_VPN], ids=str)
def test_a_withdrawal_has_one_label_that_means_none(family: Family) -> None:
    """RFC 8277 section 2.4: 0x800000 without the bottom-of-stack bit."""
    w = Writer()
    encode_nlri(w, (route._replace(labels=()) for route in routes_of(family, None)), family, withdrawn=True)
    read = decode_nlri(Cursor(bytes(w)), family, add_path=False, withdrawn=True)
    assert [route.prefix for route in read] == [route.prefix for route in routes_of(family, None)]
    assert {route.labels for route in read} == {(0x80000,)}
    again = Writer()
    encode_nlri(again, read, family, withdrawn=True)
    assert bytes(again) == bytes(w)


def test_a_withdrawal_may_name_its_labels() -> None:
    """As RFC 3107 had it."""
    routes, w = routes_of(IPV4_VPN, None), Writer()
    encode_nlri(w, routes, IPV4_VPN, withdrawn=True)
    assert decode_nlri(Cursor(bytes(w)), IPV4_VPN, add_path=False, withdrawn=True) == routes


@pytest.mark.parametrize(
    ("family", "octets", "offset"),
    [
        (IPV4_UNICAST, "210a010203", 5),
        (IPV6_UNICAST, "81" + "00" * 17, 5),
        (IPV4_UNICAST, "180a01", 6),
        (IPV4_LABELED, "17000011", 5),  # 23 bits hold three octets, but not a label
        (IPV4_LABELED, "39" + "000011" + "0a01020300", 5),  # 57 bits: a prefix of 33
        (IPV4_VPN, "30" + "000011" + "0000fd", 9),  # the distinguisher is cut
        (IPV4_LABELED, "30" + "000010" * 2, 12),  # a stack without a bottom
    ],
)
def test_lengths_that_lie_are_refused(family: Family, octets: str, offset: int) -> None:
    with pytest.raises(WireError) as caught:
        decode_nlri(Cursor(bytes.fromhex(octets), 5), family, add_path=False)
    assert caught.value.offset == offset


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(WireError, match="not known"):
        decode_nlri(Cursor(b"\x00"), Family(25, 70), add_path=False)


def test_text_names_what_a_route_has() -> None:
    route = Nlri(V4, 3, (24000, 17), parse_rd("0:65000:1"))
    assert str(route) == "10.1.0.0/20 rd 0:65000:1 labels 24000/17 path 3"
