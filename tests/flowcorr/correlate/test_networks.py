"""Networks files: what rows mean, which prefix wins, what flows take of it."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcorr.columns._batch import Batch
from flowcorr.columns.builtin import ALWAYS, BUILTIN, own_column
from flowcorr.columns.column import IPV4_MAPPED, NO_ADDRESS
from flowcorr.columns.layout import Layout
from flowcorr.correlate._network_rows import Rows
from flowcorr.correlate._networks import Networks, NetworksStage
from flowcorr.correlate.networks import SIDES, NetworksUse, parse_networks

Found = tuple[str, int, int, str]


def octets_of(text: str) -> bytes:
    address = ip_address(text)
    return address.packed if isinstance(address, IPv6Address) else IPV4_MAPPED + address.packed


def text_of(octets: bytes) -> str:
    if octets == NO_ADDRESS:
        return ""
    return str(ip_address(octets[12:] if octets.startswith(IPV4_MAPPED) else octets))


def found(networks: Networks, address: str) -> tuple[int, int, int, str] | None:
    """Length, origin AS, neighbour AS and next hop."""
    match = networks.find(octets_of(address))
    return None if match is None else (*match[:3], text_of(match[3]))


def table(*rows: str) -> Networks:
    read = parse_networks("\n".join((*rows, "")).encode())
    assert not read.told
    return read.networks


@pytest.mark.parametrize(
    ("row", "address", "expected"),
    [
        ("192.0.2.0/24", "192.0.2.9", (24, 0, 0, "")),
        ("65500,192.0.2.0/24", "192.0.2.9", (24, 65500, 0, "")),
        ("64512_65500,192.0.2.0/24", "192.0.2.9", (24, 65500, 64512, "")),
        ("10.0.0.1,65500,192.0.2.0/24", "192.0.2.9", (24, 65500, 0, "10.0.0.1")),
        ("10.0.0.1,64512_65500,192.0.2.0/24", "192.0.2.9", (24, 65500, 64512, "10.0.0.1")),
        ("10.0.0.1,192.0.2.0/24", "192.0.2.9", (24, 0, 0, "10.0.0.1")),
        (" 10.0.0.1 ,\t65500 , 192.0.2.0/24\r", "192.0.2.9", (24, 65500, 0, "10.0.0.1")),
        ("4294967295,0.0.0.0/0", "255.255.255.255", (0, 4294967295, 0, "")),
        ("65500,255.255.255.255/32", "255.255.255.255", (32, 65500, 0, "")),
        ("2001:db8::1,65500,2001:db8::/32", "2001:db8::9", (32, 65500, 0, "2001:db8::1")),
        ("65500,::/0", "2001:db8::9", (0, 65500, 0, "")),
        ("65500,2001:db8::1/128", "2001:db8::1", (128, 65500, 0, "")),
        ("65500,::ffff:192.0.2.0/120", "192.0.2.9", (24, 65500, 0, "")),
        ("192.0.2.0/24\t65500", "192.0.2.9", (24, 65500, 0, "")),
        ("2001:db8::/32\t65500", "2001:db8::9", (32, 65500, 0, "")),
        ("192.0.2.0\t24\t65500", "192.0.2.9", (24, 65500, 0, "")),
        ("192.0.2.0\t24\t65500_65501", "192.0.2.9", (24, 65500, 0, "")),
        ("192.0.2.0\t24\t65500,65501_65502", "192.0.2.9", (24, 65500, 0, "")),
    ],
)
def test_a_row_says_what_it_says(row: str, address: str, expected: Found) -> None:
    assert found(table("! a comment", "# too", "; of pyasn", "", row), address) == expected


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("foo", "'foo' has no network: valid is [nexthop,][[peerAS_]originAS,]network/length"),
        ("65500,192.0.2.0", "has no '/' and length behind the network; did you mean 65500,192.0.2.0/32?"),
        ("65500,192.0.2.0/33", "has a length that is not from 0 to 32"),
        ("65500,2001:db8::/129", "or of IPv6 to 128; did you mean 65500,2001:db8::/128?"),
        ("AS65500,192.0.2.0/24", "in plain digits, before the network; did you mean 65500,192.0.2.0/24?"),
        ("4294967296,192.0.2.0/24", "AS numbers from 0 to 4294967295"),
        ("x,65500,192.0.2.0/24", "has no address where the next hop is; did you mean 65500,192.0.2.0/24?"),
        ("65200,10.0.0.1,65500,192.0.2.0/24", "more than three fields"),
        ("65500;192.0.2.0/24", "has no network: valid is"),
        ("65500;192.0.2.0/24", "did you mean 65500,192.0.2.0/24?"),
        ("192.0.2.0/24,65500", "did you mean 65500,192.0.2.0/24?"),
        ("010.0.0.0/8", "has no network"),
        ("1.2.3/8", "has no network"),
        ("1.2.3.4.5/8", "has no network"),
        ("256.0.0.0/8", "has no network"),
        ("65500,192.0.2.0/-1", "has a length"),
        ("\xff\x00,192.0.2.0/24", "'\\xc3\\xbf\x00,192.0.2.0/24' has something else than AS numbers"),
    ],
)
def test_a_bad_row_is_named_and_left_out(row: str, said: str) -> None:
    read = parse_networks(f"65501,198.51.100.0/24\n{row}\n65502,203.0.113.0/24\n".encode())
    [told] = read.told
    assert (told.line, told.is_bad) == (2, True)
    assert said in told.text
    assert len(read.networks) == 2


def test_bits_behind_the_length_do_not_count_and_are_told() -> None:
    read = parse_networks(b"65500,192.0.2.1/24\n")
    [told] = read.told
    assert (told.line, told.is_bad) == (1, False)
    assert "did you mean 65500,192.0.2.0/24?" in told.text
    assert found(read.networks, "192.0.2.200") == (24, 65500, 0, "")


def test_a_row_that_the_end_of_the_file_cuts_off_is_a_bad_one() -> None:
    read = parse_networks(b"65500,198.51.100.0/24\n65500,192.0.2.0/2")
    assert [(told.line, told.is_bad) for told in read.told] == [(2, True)]
    assert len(read.networks) == 1
    assert len(parse_networks(b"65500,192.0.2.0/24").networks) == 1


def test_only_the_first_hundred_bad_rows_are_told_and_all_counted() -> None:
    read = parse_networks(b"x\n" * 100)
    assert (len(read.told), read.untold) == (100, 0)
    read = parse_networks(b"x\n" * 101)
    assert (len(read.told), read.untold) == (100, 1)


def test_of_one_prefix_the_last_row_counts() -> None:
    networks = table("1,192.0.2.0/24", "2,10.0.0.0/8", "3,192.0.2.0/24")
    assert found(networks, "192.0.2.1") == (24, 3, 0, "")
    assert len(networks) == 2


def test_rows_make_one_table() -> None:
    rows = Rows(b"192.0.2.0/24\n")
    Networks(rows)
    with pytest.raises(ValueError, match="already"):
        Networks(rows)


def v4(length: int, bits: int) -> IPv4Network:
    return IPv4Network((bits & 0xFFFFFFFF, length), strict=False)


def v6(length: int, bits: int) -> IPv6Network:
    return IPv6Network((bits, length), strict=False)


#: Addresses that crowd at both ends and around a few places, so that prefixes nest and touch.
V4 = st.builds(v4, st.integers(0, 32), st.sampled_from([0, 0x0A000000, 0x0A00FFFF, 0xC0000200, 0xFFFFFFFF, 0xFFFF0000]))
V6 = st.builds(v6, st.integers(0, 128), st.sampled_from([0x20010DB8 << 96, 0x2A << 120, (1 << 128) - 2, 1 << 64, 2]))


@given(st.lists(st.one_of(V4, V6), max_size=40))
def test_the_longest_prefix_is_found(prefixes: list[IPv4Network | IPv6Network]) -> None:
    networks = table(*(f"{number},{prefix}" for number, prefix in enumerate(prefixes, start=1)))
    last = {prefix: number for number, prefix in enumerate(prefixes, start=1)}
    borders = {int(prefix[place]) + step for prefix in last for place in (0, -1) for step in (-1, 0, 1)}
    for version, most, kind in ((4, 32, IPv4Network), (6, 128, IPv6Network)):
        for border in borders:
            if not 0 <= border < 1 << most or (version == 6 and border >> 32 in {0xFFFF, (1 << 96) - 1}):
                continue
            address = kind((border, most)).network_address
            around = [one for one in last if one.version == version and address in one]
            best = max(around, key=lambda one: one.prefixlen, default=None)
            expected = None if best is None else (best.prefixlen, last[best], 0, "")
            assert found(networks, str(address)) == expected


LAYOUT = Layout([*ALWAYS, *(BUILTIN[name] for side in SIDES for name in side if name)])
TABLE = table("10.0.0.1,64512_65500,192.0.2.0/24", "203.0.113.0/24", "64513_65501,2001:db8::/32")


def flow(use: NetworksUse, networks: Networks | None = TABLE, **values: Any) -> dict[str, Any]:
    """What a flow has after the stage; addresses as text."""
    batch = Batch(LAYOUT, 1)
    kinds = {name: column.kind.width for name, column in LAYOUT.columns.items()}
    batch.append(**{name: octets_of(value) if kinds[name] == 16 else value for name, value in values.items()})
    use.stage(LAYOUT, networks)(batch)
    row = batch.rows[0]
    return {
        name: text_of(bytes(row[name])) if kinds[name] == 16 else int(row[name])
        for side in SIDES
        for name in side
        if name
    }


def test_file_gives_all_and_nothing_else() -> None:
    use = NetworksUse(as_source=("file",), net_source=("file",))
    seen = flow(
        use, src_host="198.51.100.1", dst_host="192.0.2.9", src_as=1, peer_src_as=2, src_mask=16, dst_as=3, dst_mask=30
    )
    assert seen == {
        "src_host": "198.51.100.1", "src_mask": 0, "src_net": "0.0.0.0", "src_as": 0, "peer_src_as": 0,
        "dst_host": "192.0.2.9", "dst_mask": 24, "dst_net": "192.0.2.0", "dst_as": 65500, "peer_dst_as": 64512,
        "peer_dst_ip": "10.0.0.1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("mask", "always", "expected"),
    [
        (23, False, (24, "192.0.2.0", 65500, "10.0.0.1")),
        (24, False, (24, "", 65500, "10.0.0.1")),  # as long as: numbers, but not the network
        (25, False, (25, "", 1, "10.9.9.9")),
        (25, True, (24, "192.0.2.0", 65500, "10.0.0.1")),
    ],
)
def test_longest_compares_with_the_mask_that_is_there(mask: int, always: bool, expected: tuple[Any, ...]) -> None:
    use = NetworksUse(as_source=("longest",), net_source=("longest",), always=always)
    seen = flow(use, dst_host="192.0.2.9", dst_mask=mask, dst_as=1, peer_dst_ip="10.9.9.9")
    assert tuple(seen[name] for name in ("dst_mask", "dst_net", "dst_as", "peer_dst_ip")) == expected


def test_in_a_comparison_a_row_counts_only_for_what_it_says() -> None:
    use = NetworksUse(as_source=("longest",), net_source=("longest",))
    seen = flow(use, dst_host="203.0.113.1", dst_as=1, peer_dst_as=2, peer_dst_ip="10.9.9.9")
    assert (seen["dst_as"], seen["peer_dst_as"], seen["peer_dst_ip"], seen["dst_mask"]) == (1, 2, "10.9.9.9", 24)


def test_as_numbers_and_prefixes_may_come_from_different_sources() -> None:
    seen = flow(NetworksUse(as_source=("file",), net_source=("netflow",)), src_host="2001:db8::1", src_mask=48)
    assert (seen["src_as"], seen["peer_src_as"], seen["src_mask"]) == (65501, 64513, 48)


def test_a_fixed_mask() -> None:
    use = NetworksUse(net_source=("mask",), mask=40)
    seen = flow(use, None, src_host="2001:db8:ffff::1", dst_host="192.0.2.9", dst_mask=8)
    assert (seen["src_mask"], seen["src_net"]) == (40, "2001:db8:ff00::")
    assert (seen["dst_mask"], seen["dst_net"]) == (32, "192.0.2.9")
    use = NetworksUse(net_source=("mask", "file"), mask=20)
    seen = flow(use, src_host="198.51.100.1", dst_host="192.0.2.9")
    assert (seen["src_net"], seen["dst_net"]) == ("198.51.96.0", "192.0.2.0")


def test_what_the_file_does_not_cover_is_left_out() -> None:
    use = NetworksUse(filters=True)
    seen = flow(use, src_host="198.51.100.1", src_mask=24, src_net="198.51.100.0", dst_host="192.0.2.9", dst_mask=8)
    assert (seen["src_host"], seen["src_net"], seen["src_mask"]) == ("0.0.0.0", "0.0.0.0", 0)
    assert (seen["dst_host"], seen["dst_mask"]) == ("192.0.2.9", 8)
    for words, expected in ((("longest",), 0), (("netflow",), 7)):
        seen = flow(NetworksUse(filters=True, as_source=words), src_host="198.51.100.1", src_as=7, peer_src_as=7)
        assert (seen["src_as"], seen["peer_src_as"]) == (expected, expected)


def test_without_a_mask_the_network_may_be_the_host() -> None:
    use = NetworksUse(as_source=("netflow",), net_source=("netflow",), keeps_hosts=True)
    seen = flow(use, None, src_host="198.51.100.1", dst_host="192.0.2.9", dst_mask=16)
    assert (seen["src_net"], seen["src_mask"], seen["dst_net"]) == ("198.51.100.1", 0, "192.0.0.0")


def test_a_plugin_may_have_columns_of_its_own() -> None:
    layout = Layout([*LAYOUT, own_column("dst_net", "x"), own_column("dst_mask", "x")])
    batch = Batch(layout, 1)
    batch.append(dst_host=octets_of("192.0.2.9"), dst_mask=16)
    own = {name: f"{name}[x]" for name in ("dst_net", "dst_mask", "src_net")}
    use = NetworksUse(net_source=("file",), own=own)
    use.stage(layout, TABLE)(batch)
    row = batch.rows[0]
    assert (row["dst_mask"], row["dst_mask[x]"], text_of(bytes(row["dst_net[x]"]))) == (16, 24, "192.0.2.0")
    assert {"dst_mask", "dst_mask[x]"} <= use.columns


def test_an_unknown_address_stays_unknown() -> None:
    seen = flow(NetworksUse(as_source=("file",), net_source=("file",)))
    assert (seen["dst_host"], seen["dst_net"], seen["dst_as"], seen["peer_dst_ip"]) == ("", "", 0, "")


def test_nothing_comes_from_a_file_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="no file"):
        NetworksStage(LAYOUT, None, SIDES, as_from=1)
    assert not NetworksUse(as_source=("longest",), filters=True).changes(has_file=False)
