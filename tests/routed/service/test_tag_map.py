from __future__ import annotations

import json
from ipaddress import ip_address

import pytest

from routed.plumbing.maps import Limits
from routed.service.tag_map import MAX_TAG, Tag, TagMap, encode_tag, label_passes, parse_tag_map


def compile_map(*rows: str) -> TagMap:
    loaded = parse_tag_map("\n".join(rows), "m", Limits())
    assert loaded.lines == ()
    return loaded.content


def tag_of(tag_map: TagMap, address: str, *communities: str) -> Tag | None:
    return tag_map.evaluate(ip_address(address), communities or None)


#: A map as collectors of several routers use it: one row for each, one for the rest.
SITES = (
    "set_label=nkey%100.1,pkey%testing                                 ip=172.21.1.101/32",
    "set_label=nkey%100.2,pkey%testing                                 ip=172.21.1.102/32",
    "set_label=nkey%cafe.1,pkey%testing                                ip=fd25::101/128",
    "set_label=nkey%unknown,pkey%unknown",
)


@pytest.mark.parametrize(
    ("address", "node", "platform"),
    [
        ("172.21.1.101", "100.1", "testing"),
        ("172.21.1.102", "100.2", "testing"),
        ("fd25::101", "cafe.1", "testing"),
        ("172.21.1.103", "unknown", "unknown"),
        ("fd25::102", "unknown", "unknown"),
    ],
)
def test_the_first_row_that_matches_the_peer_decides(address: str, node: str, platform: str) -> None:
    tag = tag_of(compile_map(*SITES), address)
    assert tag == Tag(label=f"nkey%{node},pkey%{platform}")
    fragment = encode_tag(tag, label_as_map=True)
    assert fragment == f'"label": {{"nkey": "{node}", "pkey": "{platform}"}}'.encode()


@pytest.mark.parametrize(
    ("rows", "address", "expected"),
    [
        (["set_tag=10 ip=::/0"], "2001:db8::1", Tag(10)),
        (["set_tag=10 ip=::/0"], "192.0.2.1", None),
        (["set_tag=10 ip=0.0.0.0/0"], "2001:db8::1", None),
        (["set_tag=10 ip=192.0.2.0/24", "set_tag=20 ip=192.0.2.1"], "192.0.2.1", Tag(10)),
        (["set_tag=10 ip=192.0.2.9/24"], "192.0.2.1", Tag(10)),
        (["id=10"], "192.0.2.1", Tag(10)),
        (["set_tag=10 set_label=x"], "192.0.2.1", Tag(10, "x")),
        ([f"set_tag={MAX_TAG}"], "192.0.2.1", Tag(MAX_TAG)),
        ([], "192.0.2.1", None),
    ],
)
def test_rows_concern_the_family_of_their_address(rows: list[str], address: str, expected: Tag | None) -> None:
    assert tag_of(compile_map(*rows), address) == expected


def test_communities_of_a_row_are_alternatives_and_need_a_route() -> None:
    tag_map = compile_map("set_tag=1 ip=192.0.2.0/24 comms=65000:100,65000:101", "set_tag=2 ip=192.0.2.0/24")
    assert tag_map.uses_communities
    assert tag_of(tag_map, "192.0.2.1", "65000:101", "65000:7") == Tag(1)
    assert tag_of(tag_map, "192.0.2.1", "65000:10") == Tag(2)
    assert tag_map.evaluate(ip_address("192.0.2.1"), ()) == Tag(2)
    assert tag_of(tag_map, "192.0.2.1") == Tag(2)


def test_a_peer_without_rows_about_communities_needs_no_look_at_them() -> None:
    tag_map = compile_map("set_tag=1 ip=192.0.2.1 comms=65000:100", "set_tag=2")
    assert tag_map.for_peer(ip_address("192.0.2.1")).uses_communities
    assert not tag_map.for_peer(ip_address("192.0.2.2")).uses_communities
    assert not compile_map("set_tag=1").uses_communities


def test_a_jump_goes_on_at_the_named_row_and_labels_add_up() -> None:
    tag_map = compile_map(
        "set_label=a ip=192.0.2.0/24 jeq=more",
        "set_label=skipped",
        "set_label=b ip=198.51.100.0/24 label=more",
        "set_label=c comms=65000:1",
        "set_label=d",
    )
    assert tag_of(tag_map, "192.0.2.1") == Tag(label="a,d")
    assert tag_of(tag_map, "192.0.2.1", "65000:1") == Tag(label="a,c")
    assert tag_of(tag_map, "198.51.100.1") == Tag(label="skipped")


def test_a_jump_to_a_row_that_does_not_match_goes_on_behind_it() -> None:
    tag_map = compile_map(
        "set_label=a jeq=x",
        "set_label=b comms=65000:1 label=x",
    )
    assert tag_of(tag_map, "192.0.2.1") == Tag(label="a")


@pytest.mark.parametrize(("stack", "tag"), [("", 6), (" stack=sum", 9), (" stack=or", 7)])
def test_tags_replace_each_other_or_are_combined(stack: str, tag: int) -> None:
    tag_map = compile_map("set_tag=3 jeq=next", f"set_tag=6{stack}")
    assert tag_of(tag_map, "192.0.2.1") == Tag(tag)
    assert tag_of(tag_map, "2001:db8::1") == Tag(tag)


def test_a_sum_of_tags_wraps_at_64_bits() -> None:
    assert tag_of(compile_map(f"set_tag={MAX_TAG} jeq=next", "set_tag=2 stack=sum"), "192.0.2.1") == Tag(1)


def test_a_row_that_only_sets_a_label_keeps_the_tag_before() -> None:
    assert tag_of(compile_map("set_tag=3 jeq=next", "set_label=x"), "192.0.2.1") == Tag(3, "x")
    assert tag_of(compile_map("jeq=next", "set_tag=3 comms=1:1"), "192.0.2.1") is None


@pytest.mark.parametrize(
    ("rows", "families"),
    [
        (["set_tag=1 jeq=nowhere"], ["v4", "v6"]),
        (["set_tag=1 label=x", "set_tag=2 jeq=x"], ["v4", "v6"]),
        (["set_tag=1 jeq=x label=x"], ["v4", "v6"]),
        (["set_tag=1 jeq=x", "set_tag=2 ip=192.0.2.1 label=x"], ["v6"]),
        (["set_tag=1 label=x", "set_tag=2 jeq=x", "set_tag=3 label=x"], ["v4", "v6"]),
    ],
)
def test_a_jump_leads_forward_to_the_first_row_of_that_name_or_nowhere(rows: list[str], families: list[str]) -> None:
    loaded = parse_tag_map("\n".join(rows), "m", Limits())
    assert [line.text.split("in ")[1].split()[0] for line in loaded.lines] == families
    assert all("Unresolved label" in line.text for line in loaded.lines)


def test_a_row_whose_jump_leads_nowhere_ends_the_search() -> None:
    loaded = parse_tag_map("set_tag=1 jeq=nowhere\nset_tag=2", "m", Limits())
    assert loaded.content.evaluate(ip_address("192.0.2.1"), None) == Tag(1)
    assert loaded.lines[0].text == "[m:1] Unresolved label 'nowhere' in v4 namespace. Ignoring it."


def test_a_tag_may_count_on_at_each_match() -> None:
    tag_map = compile_map("set_tag=7++ ip=192.0.2.0/24", "set_tag=1")
    assert [tag_of(tag_map, "192.0.2.1") for _ in range(3)] == [Tag(7), Tag(8), Tag(9)]
    assert tag_of(tag_map, "198.51.100.1") == Tag(1)
    assert tag_map.for_peer(ip_address("192.0.2.1")).counts
    assert not tag_map.for_peer(ip_address("198.51.100.1")).counts


def test_rows_without_an_address_may_be_kept_to_ipv4() -> None:
    tag_map = parse_tag_map("set_tag=1", "m", Limits(), recirculate=False).content
    assert tag_map.evaluate(ip_address("192.0.2.1"), None) == Tag(1)
    assert tag_map.evaluate(ip_address("2001:db8::1"), None) is None


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("ip=192.0.2.1", "required key missing. Required keys are: 'set_tag' or 'set_label'. Line ignored."),
        ("set_tag=0", f"'set_tag': 0 is not from 1 to {MAX_TAG}. Line ignored."),
        (f"set_tag={MAX_TAG + 1}", f"'set_tag': {MAX_TAG + 1} is not from 1 to {MAX_TAG}. Line ignored."),
        ("set_tag=1x", "'set_tag': 1x is not an integer. Line ignored."),
        ("set_tag=++", "'set_tag':  is not an integer. Line ignored."),
        ("set_tag=1 id=2", "Multiple 'set_tag' clauses part of the same statement. Line ignored."),
        ("set_tag=1 ip=host", "'ip': 'host' is neither address nor prefix. Line ignored."),
        ("set_tag=1 ip=-192.0.2.1", "'ip': '-192.0.2.1' is neither address nor prefix. Line ignored."),
        ("set_tag=1 stack=max", "'stack' is 'max', not one of sum, or. Line ignored."),
        ("set_tag=1 label=" + "x" * 32, "'label' is longer than 31 chars. Line ignored."),
        (
            "set_tag=1 comms=" + ",".join(f"1:{n}" for n in range(17)),
            "'comms' has 17 communities, not 1 to 16. Line ignored.",
        ),
        ("set_tag=1 comms=,", "'comms' has 0 communities, not 1 to 16. Line ignored."),
        ("set_tag=1 in=2", "Line ignored because of unknown key 'in'."),
        ("set_tag2=1", "Line ignored because of unknown key 'set_tag2'. Did you mean set_tag?"),
        ("nonsense", "malformed line. Ignored. 'nonsense' is no key=value."),
    ],
)
def test_a_bad_row_is_left_out_and_the_others_count(row: str, complaint: str) -> None:
    loaded = parse_tag_map(f"{row}\nset_tag=5", "m", Limits())
    assert [line.text for line in loaded.lines] == [f"[m:1] {complaint}"]
    assert len(loaded.content) == 1
    assert loaded.content.evaluate(ip_address("192.0.2.1"), None) == Tag(5)


@pytest.mark.parametrize(
    ("tag", "as_map", "fragment"),
    [
        (None, False, b""),
        (Tag(), False, b""),
        (Tag(10), False, b'"tag": 10'),
        (Tag(10, "x"), True, b'"tag": 10'),
        (Tag(MAX_TAG), False, b'"tag": 18446744073709551615'),
        (Tag(label="x"), False, b'"label": "x"'),
        (Tag(label="a%b,c%d"), False, b'"label": "a%b,c%d"'),
        (Tag(label="nkey%site1,pkey%x"), True, b'"label": {"nkey": "site1", "pkey": "x"}'),
        (Tag(label="a%b%c,d"), True, b'"label": {"a": "b%c", "d": ""}'),
        (Tag(label="a%1,a%2,,%3"), True, b'"label": {"a": "2"}'),
        (Tag(label='q"\\\x01'), False, b'"label": "q\\"\\\\\\u0001"'),
        (Tag(label="naïve"), False, '"label": "naïve"'.encode()),
    ],
)
def test_a_tag_is_a_member_of_a_json_object(tag: Tag | None, as_map: bool, fragment: bytes) -> None:
    assert encode_tag(tag, label_as_map=as_map) == fragment
    json.loads(b"{%b}" % fragment)


@pytest.mark.parametrize(
    ("entries", "label", "passes"),
    [
        (["a"], "a", True),
        (["a"], "b,a", True),
        (["a"], "ab", False),
        (["a", "b"], "b", True),
        (["-a"], "b", True),
        (["-a"], "a", False),
        (["-a", "a"], "a", True),
        (["b", "-a"], "a,b", True),
        (["a"], None, False),
        (["null"], None, False),
        (["-a"], None, False),
        ([], "a", False),
    ],
)
def test_a_label_filter_takes_the_first_entry_that_decides(
    entries: list[str],
    label: str | None,
    passes: bool,
) -> None:
    assert label_passes(entries, label) is passes
