"""Conditions of questions: each finds the routes that it is about, and says what is wrong with it otherwise."""

import pytest

from routed.query.codec import QueryError, decode_question
from routed.rib._rib import PeerRib, Rib
from routed.rib._search import Search
from routed.rib._update import apply
from routed.service.conditions import compile_condition, extended_community
from tests.oracles.build import NET_10, attribute, prefix, segments, update

HOP = attribute(3, bytes([192, 0, 2, 1]))


def condition(members: object) -> object:
    where = decode_question({"where": members}).where
    assert where is not None
    return compile_condition(where)


@pytest.fixture(scope="module")
def peer() -> PeerRib:
    """10.0.0.0/8, which has everything, and 11.0.0.0/8, which has what it must."""
    rib = PeerRib(Rib(1))
    everything = [
        attribute(1, b"\1"),
        attribute(2, segments((2, [65001, 4200000000, 65003]))),
        HOP,
        attribute(4, (50).to_bytes(4, "big")),
        attribute(5, (200).to_bytes(4, "big")),
        attribute(8, bytes.fromhex("fde80064ffffff01")),
        attribute(
            16,
            bytes.fromhex("0002fde800000064") + bytes.fromhex("0103c00002010005") + bytes.fromhex("0202fa56ea000001"),
        ),
        attribute(32, b"".join(n.to_bytes(4, "big") for n in (4200000000, 1, 2))),
    ]
    apply(rib, update(everything, NET_10))
    plain = [attribute(1, b"\0"), attribute(2, segments((2, [65009]))), attribute(3, bytes([198, 51, 100, 1]))]
    apply(rib, update(plain, prefix(bytes([11, 0, 0, 0]), 8)))
    return rib


@pytest.mark.parametrize(
    ("members", "first_octets"),
    [
        ({"origin_as": 65003}, [10]),
        ({"neighbor_as": 65001}, [10]),
        ({"as": 4200000000}, [10]),
        ({"as": 65002}, []),
        ({"as_path": "^65001_4200000000_"}, [10]),
        ({"as_path": "^65009$"}, [11]),
        ({"next_hop": "192.0.2.1"}, [10]),
        ({"next_hop": "192.0.2.0/24"}, [10]),
        ({"next_hop": "0.0.0.0/0"}, [10, 11]),
        ({"next_hop": "::/0"}, []),
        ({"community": "65000:100"}, [10]),
        ({"community": "65000:*"}, [10]),
        ({"community": "no-export"}, [10]),
        ({"community": "no-advertise"}, []),
        ({"ext_community": "RT:65000:100"}, [10]),
        ({"ext_community": "SoO:192.0.2.1:5"}, [10]),
        ({"ext_community": "RT:4200000000:1"}, [10]),
        ({"ext_community": "RT:65000:101"}, []),
        ({"large_community": "4200000000:1:2"}, [10]),
        ({"large_community": "*:*:2"}, [10]),
        ({"large_community": "*:*:3"}, []),
        ({"origin": "e"}, [10]),
        ({"origin": "i"}, [11]),
        ({"local_pref": 200}, [10]),
        ({"local_pref": {"ge": 200}}, [10]),
        ({"local_pref": {"gt": 200}}, []),
        ({"med": {"ge": 50, "lt": 51}}, [10]),
        ({"med": {"le": 49}}, []),
        ({"as_path_length": {"lt": 3}}, [11]),
        ({"attribute": 32}, [10]),
        ({"not": {"attribute": 32}}, [11]),
        ({"origin": "e", "med": 50}, [10]),
        ({"origin": "i", "med": 50}, []),
        ({"and": [{"origin": "e"}, {"not": {"as": 65002}}]}, [10]),
        ({"or": [{"origin": "e"}, {"origin_as": 65009}]}, [10, 11]),
        ({"not": {"or": [{"origin": "e"}, {"origin_as": 65009}]}}, []),
    ],
)  # fmt: skip
def test_a_condition_finds_the_routes_that_it_holds_for(
    peer: PeerRib, members: object, first_octets: list[int]
) -> None:
    search = Search([peer], condition=condition(members))
    assert [route[2][0] for route in search.run(10).routes()] == first_octets
    search.close()


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"as_path": "(65001"}, "as_path: "),
        ({"as_path": ".*1" + "." * 20}, "as_path: expression needs more than"),
        ({"not": {"ext_community": "RT:x:1"}}, "ext_community: RT:x:1 is not written like RT:65000:100"),
        *(({"attribute": code}, f"where: attribute {code} is not kept") for code in (3, 14, 15)),
        ({"or": [{"med": {"ge": 1, "le": 2}} for _ in range(129)]}, "where: condition of 258 tests, more than 256"),
    ],
)
def test_a_condition_that_cannot_be_says_why(members: object, text: str) -> None:
    with pytest.raises(QueryError) as refused:
        condition(members)
    assert str(refused.value).startswith(text)


@pytest.mark.parametrize(
    "text",
    ["", "RT", "RT:1", "RT:1:", "rt:1:1", "?:1:1", "RT:-1:1", "RT:65536:65536", "RT:1:4294967296", "RT:4294967296:1",
     "RT:192.0.2.1:65536", "RT:192.0.2:1", "RT:1:1:1"],
)  # fmt: skip
def test_texts_that_are_no_extended_community(text: str) -> None:
    with pytest.raises(QueryError, match=r"^ext_community: "):
        extended_community(text)


def test_a_condition_of_many_parts_is_compiled_whatever_its_shape(peer: PeerRib) -> None:
    chain: object = {"or": [{"as": number} for number in range(1, 200)] + [{"as": 65009}]}
    search = Search([peer], condition=condition(chain))
    assert len(search.run(10)) == 1
    search.close()
