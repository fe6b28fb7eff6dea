"""Exports of validators and local exceptions."""

from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.plumbing.maps import MapError
from routed.rib.payload_set import PayloadSet
from routed.service.roas_file import MAX_NAMED, parse_roas, read_roas
from routed.service.slurm import parse_slurm

GOLDEN = Path(__file__).parents[2] / "golden" / "rpki"
RIPE = {"roas": [{"asn": "AS65001", "prefix": "192.0.2.0/24", "maxLength": 24, "ta": "ripe"}]}
RPKI_CLIENT = {
    "metadata": {"roas": 1, "vrps": 1},
    "roas": [{"asn": 65001, "prefix": "192.0.2.0/24", "maxLength": 24, "ta": "ripe", "expires": 1753453058}],
    "bgpsec_keys": [],
    "aspas": [{"customer_asid": 65010, "expires": 1753453058, "providers": [65001, 65002]}],
}
ROUTINATOR = {
    "metadata": {"generated": 0},
    "roas": [
        {"asn": "AS65001", "prefix": "192.0.2.0/24", "maxLength": 24, "source": [{"type": "roa", "uri": "rsync"}]}
    ],
    "routerKeys": [],
    "aspas": [{"customer": "AS65010", "providers": ["AS65001", "AS65002"], "source": []}],
}


def payloads(found: PayloadSet) -> list[tuple[str, int, int]]:
    """Return origins as texts."""
    return [(f"{ip_network((a, length))}", longest, asn) for a, length, longest, asn in found.vrps.payloads()]


@pytest.mark.parametrize("export", [RIPE, RPKI_CLIENT, ROUTINATOR])
def test_exports_of_all_validators_say_the_same(export: Mapping[str, Any], tmp_path: Path) -> None:
    """AS numbers as texts and as numbers; whatever else is there is ignored."""
    path = tmp_path / "roas.json"
    path.write_bytes(orjson.dumps(export))
    loaded = read_roas(path)
    assert payloads(loaded.content) == [("192.0.2.0/24", 24, 65001)]
    assert loaded.lines == ()
    assert loaded.content.aspas == ({65010: frozenset({65001, 65002})} if "aspas" in export else {})


@pytest.mark.parametrize(
    ("name", "counts", "aspas", "customer", "providers"),
    [
        ("rpki-client-20250720", (97, 23), 100, 945, {13213, 150369}),
        ("routinator-111", (1, 0), 1, 1234, {1, 2, 3, 4}),
        ("stayrtr-test", (5, 14), 2, 15562, {2914, 8283, 51088, 206238}),
    ],
)
def test_real_exports_are_read_to_the_last_row(
    name: str, counts: tuple[int, int], aspas: int, customer: int, providers: set[int]
) -> None:
    loaded = read_roas(GOLDEN / f"{name}.json")
    assert loaded.lines == ()
    assert loaded.content.vrps.counts == counts
    assert (len(loaded.content.aspas), loaded.content.aspas[customer]) == (aspas, providers)


def test_providers_of_a_customer_that_comes_twice_count_together() -> None:
    row = {"customer_asid": 1, "providers": [2]}
    families = {"ipv4": [row, {**row, "providers": [3]}], "ipv6": [{**row, "customer_asid": 4}], "?": 5}
    found = parse_roas({"roas": [], "aspas": [{**row, "providers": [9]}], "provider_authorizations": families}, "f")
    assert found.content.aspas == {1: {2, 3, 9}, 4: {2}}
    assert found.lines == ()


@pytest.mark.parametrize(
    ("row", "element"),
    [
        ({"asn": 1, "prefix": "192.0.2.0", "maxLength": 24}, "prefix"),
        ({"asn": 1, "prefix": "192.0.2.0/33", "maxLength": 24}, "prefix"),
        ({"asn": 1, "prefix": "2001:db8::/x", "maxLength": 24}, "prefix"),
        ({"asn": 1, "prefix": "192.0.2.0/24\0", "maxLength": 24}, "prefix"),
        ({"asn": 1, "maxLength": 24}, "prefix"),
        ({"asn": "ASX", "prefix": "192.0.2.0/24", "maxLength": 24}, "asn"),
        ({"asn": -1, "prefix": "192.0.2.0/24", "maxLength": 24}, "asn"),
        ({"asn": 1 << 32, "prefix": "192.0.2.0/24", "maxLength": 24}, "asn"),
        ({"asn": True, "prefix": "192.0.2.0/24", "maxLength": 24}, "asn"),
        ({"asn": 1, "prefix": "192.0.2.0/24", "maxLength": "24"}, "maxLength"),
        ({"asn": 1, "prefix": "192.0.2.0/24", "maxLength": 256}, "maxLength"),
        (7, "roa"),
    ],
)
def test_a_bad_row_is_left_out_and_named(row: object, element: str) -> None:
    """By its position, counted from 1."""
    good = {"asn": "as64500", "prefix": "2001:db8::/32", "maxLength": 48}
    loaded = parse_roas({"roas": [good, row, good]}, "f")
    assert payloads(loaded.content) == [("2001:db8::/32", 48, 64500)]
    assert [line.text for line in loaded.lines] == [f"[f] invalid '{element}' element in ROA #2. Skipped."]


def test_a_length_that_is_absent_is_that_of_the_prefix() -> None:
    """RFC 9582 section 4.3.2.1."""
    assert payloads(parse_roas({"roas": [{"asn": 1, "prefix": "192.0.2.0/24"}]}, "f").content) == [
        ("192.0.2.0/24", 24, 1)
    ]


def test_a_length_that_cannot_be_is_told_and_kept() -> None:
    """As the compatible implementation does."""
    rows = [{"asn": 1, "prefix": "192.0.2.0/24", "maxLength": longest} for longest in (23, 33)]
    loaded = parse_roas({"roas": rows}, "f")
    assert len(loaded.content.vrps) == 2
    assert "'maxLength' of 2 rows" in loaded.lines[0].text


def test_many_bad_rows_are_counted() -> None:
    """A wrong file is no flood of lines."""
    assert len(parse_roas({"roas": [{}] * (MAX_NAMED + 5)}, "f").lines) == MAX_NAMED + 1


@pytest.mark.parametrize("text", ["", "[]", "{", '{"roas": {}}', '{"vrps": []}'])
def test_a_file_that_is_something_else_is_refused(text: str, tmp_path: Path) -> None:
    """Whole or not at all."""
    path = tmp_path / "roas.json"
    path.write_text(text)
    with pytest.raises(MapError):
        read_roas(path)
    with pytest.raises(MapError):
        read_roas(tmp_path / "none")


def slurm(filters: list[object], assertions: list[object], **more: object) -> str:
    """Write a SLURM file."""
    file = {
        "slurmVersion": 1,
        "validationOutputFilters": {"prefixFilters": filters, "bgpsecFilters": []},
        "locallyAddedAssertions": {"prefixAssertions": assertions, "bgpsecAssertions": []},
        **more,
    }
    return orjson.dumps(file).decode()


def test_local_exceptions_filter_first_and_add_then() -> None:
    """RFC 8416 section 4.2, and the examples of section 3.5."""
    rows = [
        {"asn": 64496, "prefix": "192.0.2.0/24", "maxLength": 24},
        {"asn": 64496, "prefix": "198.51.100.0/24", "maxLength": 24},
        {"asn": 64497, "prefix": "198.51.100.0/25", "maxLength": 25},
        {"asn": 64498, "prefix": "203.0.113.0/24", "maxLength": 24},
        {"asn": 64496, "prefix": "2001:db8::/32", "maxLength": 32},
    ]
    received = parse_roas({"roas": rows}, "f").content
    text = slurm(
        [
            {"prefix": "192.0.2.0/24", "comment": "all of it"},
            {"asn": 64496, "comment": "all of its"},
            {"prefix": "198.51.100.0/24", "asn": 64497},
        ],
        [
            {"asn": 64496, "prefix": "198.51.100.0/24", "comment": "mine"},
            {"asn": 64496, "prefix": "2001:db8::/32", "maxPrefixLength": 48},
        ],
    )
    applied = parse_slurm(text, "f").content.applied_to(received)
    assert payloads(applied) == [
        ("198.51.100.0/24", 24, 64496),
        ("203.0.113.0/24", 24, 64498),
        ("2001:db8::/32", 48, 64496),
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{}", "slurmVersion"),
        ("[]", "the file is not an object"),
        (slurm([], [], slurmVersion=3), "slurmVersion"),
        (slurm([], [], extra=1), "unknown member extra"),
        (slurm([{}], []), "prefixFilters #1 has neither"),
        (slurm([{"prefix": "192.0.2.0/24"}, {"prefix": "192.0.2.1/24"}], []), "prefix of prefixFilters #2"),
        (slurm([{"asn": "1"}], []), "asn of prefixFilters #1"),
        (slurm([{"asn": 1, "more": 2}], []), "unknown member more of prefixFilters #1"),
        (slurm([], [{"asn": 1}]), "prefixAssertions #1 has no prefix"),
        (slurm([], [{"asn": 1, "prefix": "192.0.2.0/24", "maxPrefixLength": 23}]), "maxPrefixLength of prefixAsser"),
        (slurm([], [{"asn": 1, "prefix": "192.0.2.0/24", "maxPrefixLength": 33}]), "maxPrefixLength of prefixAsser"),
    ],
)
def test_local_exceptions_count_whole_or_not_at_all(text: str, place: str) -> None:
    """RFC 8416 section 3.1: members that are not known make the file invalid; the text says where."""
    with pytest.raises(MapError, match=place):
        parse_slurm(text, "f")


def provider_slurm(filters: list[object], assertions: list[object]) -> str:
    """Write a SLURM file of version 2."""
    file = orjson.loads(slurm([], []))
    file["slurmVersion"] = 2
    file["validationOutputFilters"]["aspaFilters"] = filters
    file["locallyAddedAssertions"]["aspaAssertions"] = assertions
    return orjson.dumps(file).decode()


@pytest.mark.parametrize("member", ["customerAsn", "customerAsid"])
def test_local_exceptions_of_providers(member: str) -> None:
    """Version 2: an assertion adds providers; with a filter for the customer it replaces them."""
    filters: list[object] = [{member: 1}, {member: 2, "comment": "replaced"}]
    assertions: list[object] = [
        {"customerAsn": 2, "providerAsns": [3]},
        {"customerAsn": 2, "providerAsns": [4]},
        {"customerAsn": 5, "providerAsns": [7]},
    ]
    received = PayloadSet(aspas={1: frozenset({9}), 2: frozenset({8}), 5: frozenset({6}), 10: frozenset({11})})
    applied = parse_slurm(provider_slurm(filters, assertions), "f").content.applied_to(received)
    assert applied.aspas == {2: frozenset({3, 4}), 5: frozenset({6, 7}), 10: frozenset({11})}


@pytest.mark.parametrize(
    ("filters", "assertions", "place"),
    [
        ([{}], [], "aspaFilters #1 has no customerAsn"),
        ([{"customerAsn": "AS1"}], [], "customerAsn of aspaFilters #1"),
        ([], [{"customerAsn": 1}], "aspaAssertions #1 has no providerAsns"),
        ([], [{"customerAsn": 1, "providerAsns": []}], "providerAsns of aspaAssertions #1: no providers"),
        ([], [{"customerAsn": 1, "providerAsns": [1 << 32]}], "is no AS number"),
        ([], [{"customerAsn": 1, "providerAsns": 2}], "not a list"),
    ],
)
def test_local_exceptions_of_providers_count_whole_or_not_at_all(
    filters: list[object], assertions: list[object], place: str
) -> None:
    """As those of origins."""
    with pytest.raises(MapError, match=place):
        parse_slurm(provider_slurm(filters, assertions), "f")


MEMBERS = st.sampled_from(
    [
        "slurmVersion",
        "validationOutputFilters",
        "locallyAddedAssertions",
        "prefixFilters",
        "prefixAssertions",
        "aspaFilters",
        "aspaAssertions",
        "bgpsecFilters",
        "bgpsecAssertions",
        "prefix",
        "asn",
        "maxPrefixLength",
        "customerAsn",
        "providerAsns",
        "comment",
        "roas",
        "maxLength",
        "aspas",
        "customer",
        "providers",
    ]
)
TEXTS = st.sampled_from(["AS1", "10.0.0.0/8", "::/0", ""])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 1 << 33)
    | st.floats()
    | st.sampled_from(["AS1", "10.0.0.0/8", "::/0", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=5),
    max_leaves=12,
)


@given(VALUES)
def test_any_json_is_read_or_refused(value: object) -> None:
    """Nothing else comes of it, whatever stands in a file."""
    file = orjson.loads(provider_slurm([], []))
    file["validationOutputFilters"] |= value if isinstance(value, dict) else {"aspaFilters": value}
    for text in (orjson.dumps(value).decode(), orjson.dumps(file).decode()):
        with suppress(MapError):
            parse_slurm(text, "f")
    with suppress(MapError):
        parse_roas(value if isinstance(value, dict) else {"roas": value}, "f")
