"""Requests as frames: what each member means, where its limits are, and what the answer to nonsense says."""

import json
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.query import codec
from routed.query.codec import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    MAX_FIELDS,
    MAX_FRAME,
    MAX_PATHS,
    MAX_QUESTIONS,
    MAX_ROUTES,
    MAX_TEXT,
    NUMBERS,
    OPERATORS,
    TESTS,
    BadLookupError,
    QueryError,
    UnsupportedError,
    decode_question,
    decode_request,
)
from routed.query.condition import (
    AllOf,
    AnyOf,
    AspaIs,
    Compares,
    Condition,
    HasAttribute,
    HasCommunity,
    HasExtendedCommunity,
    HasLargeCommunity,
    NeighborAs,
    NextHopIs,
    Not,
    OriginAs,
    OriginIs,
    PathHasAs,
    PathMatches,
)
from routed.query.request import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Lookup,
    Match,
    PeerFilter,
    QueryType,
    Question,
    Request,
    Wanted,
)

LOOKUP = {"ip_prefix": "10.0.1.1", "peer_ip_src": "192.0.2.1"}


def request(kind: object, *questions: object) -> Request:
    return decode_request([octets({"query_type": kind, "queries": len(questions)}), *map(octets, questions)])


def octets(value: object) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def where(condition: object) -> Condition:
    found = decode_question({"where": condition}).where
    assert found is not None
    return found


def refusal(**members: Any) -> str:
    with pytest.raises(QueryError) as refused:
        decode_question(members)
    return str(refused.value)


# -- pmacct's questions -------------------------------------------------------------------------------------------


def test_a_lookup_names_a_peer_and_a_prefix() -> None:
    assert request(1, LOOKUP) == Request(
        QueryType.LOOKUP, (Lookup(prefix=ip_network("10.0.1.1/32"), peer=ip_address("192.0.2.1")),)
    )


@pytest.mark.parametrize("port", [12345, "12345"])
def test_the_port_may_be_a_text_as_one_client_sends_it(port: object) -> None:
    [lookup] = request(1, {**LOOKUP, "peer_tcp_port": port, "rd": "0:65000:1"}).questions
    assert isinstance(lookup, Lookup)
    assert (lookup.port, lookup.rd) == (12345, "0:65000:1")


@pytest.mark.parametrize(
    ("text", "network"),
    [("10.1.2.3/16", "10.1.0.0/16"), ("2001:db8::1", "2001:db8::1/128"), ("2001:db8::1/32", "2001:db8::/32")],
)
def test_host_bits_do_not_matter(text: str, network: str) -> None:
    [lookup] = request(1, {**LOOKUP, "ip_prefix": text}).questions
    assert lookup.prefix == ip_network(network)


def test_what_else_a_lookup_says_does_not_matter() -> None:
    assert request(1, {**LOOKUP, "colour": "red", "rd": None, "peer_tcp_port": None}) == request(1, LOOKUP)


@pytest.mark.parametrize("header", [{"query_type": 2}, {"query_type": 2, "queries": 7}, {"query_type": 2, "x": []}])
def test_the_number_of_questions_need_not_be_said(header: object) -> None:
    assert decode_request([octets(header)]) == Request(QueryType.PEERS)
    assert decode_request([octets({"query_type": 1}), octets(LOOKUP), octets(LOOKUP)]) == request(1, LOOKUP, LOOKUP)


@pytest.mark.parametrize(
    "header",
    [
        *(b"", b"{", b"[]", b"1", b"\xff", b"{}", b'{"query_type": 1' + b" " * MAX_FRAME + b"}", b"[" * 10_000),
        *({"query_type": kind} for kind in (0, 4, -1, "1", None, [], {}, 1.5)),
    ],
)
def test_a_header_that_names_no_kind(header: object) -> None:
    with pytest.raises(UnsupportedError, match=r"^unsupported query_type$"):
        decode_request([octets(header), octets(LOOKUP)])


def test_no_header_at_all() -> None:
    with pytest.raises(UnsupportedError):
        decode_request([])


@pytest.mark.parametrize(
    "question",
    [
        *(b"", b"{", b"[]", b"[" * 10_000, b"\xff"),
        {"ip_prefix": "10.0.1.1"},
        {"peer_ip_src": "192.0.2.1"},
        *({**LOOKUP, "ip_prefix": bad} for bad in ("", "x", "10.0.0.0/33", "::/129", 1, None, [])),
        *({**LOOKUP, "peer_ip_src": bad} for bad in ("", "r1", "192.0.2.1/32", 1, None, {})),
        *({**LOOKUP, "peer_tcp_port": bad} for bad in (-1, 65536, "x", "", [], {}, "9" * 5000, "1e9")),
        *({**LOOKUP, "rd": bad} for bad in (1, [], "1" * (MAX_TEXT + 1))),
        {**LOOKUP, "x": "y" * MAX_FRAME},
    ],
)
def test_the_answer_to_a_bad_lookup_is_always_the_same(question: object) -> None:
    with pytest.raises(BadLookupError, match=r"^lookup error$"):
        request(1, LOOKUP, question)


def test_a_lookup_without_a_question_or_with_too_many() -> None:
    assert len(request(1, *[LOOKUP] * MAX_QUESTIONS).questions) == MAX_QUESTIONS
    for number in (0, MAX_QUESTIONS + 1):
        with pytest.raises(BadLookupError):
            request(1, *[LOOKUP] * number)


# -- questions of ours --------------------------------------------------------------------------------------------


def test_a_question_that_says_nothing_is_about_all_routes() -> None:
    assert request(3, {}).questions == (Question(),)
    assert Question().limit == DEFAULT_LIMIT


def test_every_member_of_a_question() -> None:
    members = {
        "select": "count",
        "match": "more-specific",
        "ip_prefix": "2001:db8::/32",
        "peer_ip_src": "192.0.2.1",
        "peer_tcp_port": 179,
        "peer_id": "192.0.2.9",
        "bmp_router": "2001:db8::9",
        "bmp_rib_type": "Loc-RIB",
        "afi": 2,
        "safi": 128,
        "rd": "0:65000:1",
        "where": {"origin_as": 65001},
        "fields": ["ip_prefix", "as_path"],
        "limit": 5,
        "roa": ["i", "u"],
        "cursor": "1.0.0.7",
    }
    assert decode_question(members) == Question(
        wanted=Wanted.COUNT,
        match=Match.MORE_SPECIFIC,
        prefix=ip_network("2001:db8::/32"),
        peer=PeerFilter(
            address=ip_address("192.0.2.1"),
            port=179,
            router_id=ip_address("192.0.2.9"),
            router=ip_address("2001:db8::9"),
            rib_type="Loc-RIB",
        ),
        afi=2,
        safi=128,
        rd="0:65000:1",
        where=OriginAs(65001),
        fields=("ip_prefix", "as_path"),
        limit=5,
        roa=("i", "u"),
        cursor="1.0.0.7",
    )
    assert decode_question(dict.fromkeys(members)) == Question()
    assert decode_question({"peer_ip": "192.0.2.1"}).peer == PeerFilter(address=ip_address("192.0.2.1"))


@pytest.mark.parametrize(
    ("member", "bad"),
    [
        *(("select", value) for value in ("all", 1, [], {})),
        *(("match", value) for value in ("best", 1, [])),
        *(("ip_prefix", value) for value in ("10.0.0.0/33", 1, [])),
        *(("peer_ip_src", value) for value in ("r1", 1)),
        *(("peer_ip", value) for value in ("r1", 1)),
        *(("peer_tcp_port", value) for value in (-1, 65536, "179", True, 1.0)),
        *(("peer_id", value) for value in ("::1", "x", 1)),
        *(("bmp_router", value) for value in ("x", [])),
        *(("bmp_rib_type", value) for value in (1, "x" * (MAX_TEXT + 1))),
        *(("afi", value) for value in (0, 3, "1", True)),
        *(("safi", value) for value in (0, 256, "1")),
        *(("rd", value) for value in (1, "x" * (MAX_TEXT + 1))),
        *(("where", value) for value in ([], "x", {}, 1)),
        *(("fields", value) for value in ([], "ip_prefix", [1], ["x"] * (MAX_FIELDS + 1), ["x" * (MAX_TEXT + 1)])),
        *(("roa", value) for value in ([], "", "U", 1, ["v", "i", "u", "v"], ["v", 1], {"v": 1}, [["v"]])),
        *(("limit", value) for value in (0, -1, MAX_LIMIT + 1, "5", True, 1e3)),
        *(("cursor", value) for value in (1, "1" * (MAX_TEXT + 1))),
    ],
)
def test_a_bad_member_is_named(member: str, bad: object) -> None:
    assert refusal(**{member: bad}).startswith(f"{member}: ")


def test_an_unknown_member_is_refused_and_told_what_there_is() -> None:
    assert refusal(prefix="10.0.0.0/8").startswith("unknown member prefix; there are afi, all_attributes, ")


@pytest.mark.parametrize(
    ("question", "text"),
    [
        (b"{", "not JSON: "),
        (b"[]", "not a JSON object"),
        (b"1", "not a JSON object"),
        (b'{"x": "' + b"y" * MAX_FRAME + b'"}', f" octets are more than {MAX_FRAME}"),
        (b'{"where": ' * 2000 + b"1" + b"}" * 2000, "not JSON: "),
    ],
)
def test_a_question_that_is_no_object(question: bytes, text: str) -> None:
    with pytest.raises(QueryError, match=text):
        request(3, question)


def test_as_many_questions_as_there_may_be() -> None:
    assert len(request(3, *[{}] * MAX_QUESTIONS).questions) == MAX_QUESTIONS
    for number in (0, MAX_QUESTIONS + 1):
        with pytest.raises(QueryError, match=f"^{number} questions are not 1 to {MAX_QUESTIONS}$"):
            request(3, *[{}] * number)


def test_as_many_routes_as_one_message_may_ask_for() -> None:
    most = [{"limit": MAX_LIMIT}] * (MAX_ROUTES // MAX_LIMIT)
    assert len(request(3, *most).questions) == len(most)
    with pytest.raises(QueryError, match=f"more than {MAX_ROUTES} routes"):
        request(3, *most, {"limit": 1})


# -- conditions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"origin_as": 4294967295}, OriginAs(4294967295)),
        ({"neighbor_as": 65001}, NeighborAs(65001)),
        ({"as": 0}, PathHasAs(0)),
        ({"as_path": "^65001_"}, PathMatches("^65001_")),
        ({"next_hop": "192.0.2.1"}, NextHopIs(bytes([192, 0, 2, 1]), 32)),
        ({"next_hop": "2001:db8::1/32"}, NextHopIs(bytes.fromhex("20010db8") + bytes(12), 32)),
        ({"community": "65000:*"}, HasCommunity(65000, None)),
        ({"community": "no-export"}, HasCommunity(65535, 65281)),
        ({"ext_community": "RT:65000:1"}, HasExtendedCommunity("RT:65000:1")),
        ({"large_community": "*:4294967295:0"}, HasLargeCommunity(None, 4294967295, 0)),
        ({"origin": "e"}, OriginIs(1)),
        ({"local_pref": 100}, Compares("local_pref", "eq", 100)),
        ({"med": {"ge": 10, "lt": 20}}, AllOf((Compares("med", "ge", 10), Compares("med", "lt", 20)))),
        ({"as_path_length": {"gt": 5}}, Compares("as_path_length", "gt", 5)),
        ({"attribute": 32}, HasAttribute(32)),
        ({"aspa_upstream": "invalid"}, AspaIs(is_upstream=True, verdict="invalid")),
        ({"aspa_downstream": "valid"}, AspaIs(is_upstream=False, verdict="valid")),
        ({"as": 1, "origin": "i"}, AllOf((PathHasAs(1), OriginIs(0)))),
        ({"and": [{"as": 1}, {"as": 2}]}, AllOf((PathHasAs(1), PathHasAs(2)))),
        ({"or": [{"as": 1}, {"not": {"as": 2}}]}, AnyOf((PathHasAs(1), Not(PathHasAs(2))))),
    ],
)
def test_conditions(condition: object, expected: Condition) -> None:
    assert where(condition) == expected


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        *(
            ({name: bad}, f"where: {name}: ")
            for name in ("origin_as", "neighbor_as", "as")
            for bad in (-1, 1 << 32, "1")
        ),
        *(({"as_path": bad}, "where: as_path: ") for bad in (1, "0" * (MAX_TEXT + 1))),
        *(({"next_hop": bad}, "where: next_hop: ") for bad in ("x", 1, "10.0.0.0/33")),
        *(({"community": bad}, "where: community: ") for bad in ("1", "1:2:3", "65536:1", "a:b", 1, [], ":", "-1:2")),
        *(({"large_community": bad}, "where: large_community: ") for bad in ("1:2", "1:2:4294967296", {}, None)),
        *(({"ext_community": bad}, "where: ext_community: ") for bad in (1, ["RT:1:1"])),
        *(({"origin": bad}, "where: origin: ") for bad in ("x", 0, [], None)),
        *(({"attribute": bad}, "where: attribute: ") for bad in (-1, 256, "32")),
        *(({"aspa_upstream": bad}, "where: aspa_upstream: one of valid, ") for bad in ("i", 1, ["valid"], None)),
        *(
            ({name: bad}, f"where: {name}: ")
            for name in NUMBERS
            for bad in (-1, 1 << 32, {}, {"ne": 1}, {"lt": "1"}, [])
        ),
        *(({name: bad}, f"where: {name} takes a list") for name in ("and", "or") for bad in ([], {}, 1, None)),
        *(({"not": bad}, "where: a condition is an object") for bad in ([], {}, 1, None)),
        ({"colour": 1}, "where: unknown condition colour; there are and, or, not, origin_as"),
    ],
)
def test_bad_conditions(condition: object, text: str) -> None:
    assert refusal(where=condition).startswith(text)


def test_conditions_nest_so_deep_and_no_deeper() -> None:
    condition: dict[str, object] = {"as": 1}
    for _ in range(MAX_DEPTH - 1):
        condition = {"not": condition}
    assert where(condition)
    assert refusal(where={"not": condition}) == f"where: nested deeper than {MAX_DEPTH}"


def test_as_many_conditions_as_there_may_be() -> None:
    many = [{"as": number} for number in range(MAX_CONDITIONS - 1)]
    assert where({"or": many})
    assert refusal(where={"or": [*many, {"as": 1}]}) == f"where: more than {MAX_CONDITIONS} conditions"


def test_as_many_expressions_as_there_may_be() -> None:
    many = [{"as_path": "_1_"}] * MAX_PATHS
    assert where({"or": many})
    assert refusal(where={"or": [*many, {"as_path": "_1_"}]}) == f"where: as_path: more than {MAX_PATHS} expressions"


# -- properties ---------------------------------------------------------------------------------------------------

WORDS = [*TESTS, "and", "or", "not", *OPERATORS, *codec.WELL_KNOWN, *codec.ORIGINS, "RT:1:1", "1:*", "*:1:2", "_1_"]
MEMBERS = [
    *("select", "match", "ip_prefix", "peer_ip_src", "peer_ip", "peer_tcp_port", "peer_id", "bmp_router"),
    *("bmp_rib_type", "afi", "safi", "rd", "where", "fields", "roa", "limit", "cursor", "query_type", "queries"),
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from([*WORDS, "10.0.0.0/8", "192.0.2.1", "::/0", "longest", "count", "0:1:1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*WORDS, *MEMBERS]) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
QUESTIONS = st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=5)


@given(
    kind=st.sampled_from([1, 2, 3]) | VALUES,
    questions=st.lists(QUESTIONS | VALUES | st.binary(max_size=20), max_size=3),
)
def test_any_request_is_understood_or_refused(kind: object, questions: list[object]) -> None:
    try:
        understood = request(kind, *questions)
    except QueryError as error:
        assert str(error)  # noqa: PT017 (refusing is one of the two outcomes)
    else:
        assert isinstance(understood, Request)


@given(frames=st.lists(st.binary(max_size=50), max_size=4))
def test_any_frames_are_understood_or_refused(frames: list[bytes]) -> None:
    with pytest.raises(QueryError):
        decode_request(frames)
