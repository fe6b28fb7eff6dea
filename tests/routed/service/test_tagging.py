from ipaddress import ip_address

from routed.plumbing.maps import Limits
from routed.service.tag_map import TagMap, parse_tag_map
from routed.service.tagging import Tagging, community_texts

HERE, THERE = ip_address("192.0.2.1"), ip_address("2001:db8::1")
RED = (65001 << 16 | 1).to_bytes(4, "big")


def tag_map(text: str) -> TagMap:
    return parse_tag_map(text, "tags", Limits()).content


def tagging(text: str | None, *label_filter: str, label_as_map: bool = False) -> Tagging:
    return Tagging(
        None if text is None else lambda: tag_map(text), label_as_map=label_as_map, label_filter=label_filter or None
    )


def test_without_a_map_there_is_no_tag() -> None:
    assert tagging(None).for_stream(HERE) == b""
    assert tagging(None).for_routes(HERE) == (b"", None)


def test_without_a_map_a_filter_keeps_everything_back() -> None:
    assert tagging(None, "x").for_routes(HERE) == (None, None)
    assert tagging(None, "x").for_stream(HERE) == b""


def test_a_constant_tag_needs_no_look_at_routes() -> None:
    by_address = tagging("set_tag=5 ip=192.0.2.0/24")
    assert by_address.for_routes(HERE) == (b'"tag": 5, ', None)
    assert by_address.for_stream(HERE) == b'"tag": 5, '
    assert by_address.for_routes(THERE) == (b"", None)


def test_labels_are_texts_or_objects() -> None:
    text = "set_label=nkey%a,pkey%b"
    assert tagging(text).for_stream(HERE) == b'"label": "nkey%a,pkey%b", '
    assert tagging(text, label_as_map=True).for_stream(HERE) == b'"label": {"nkey": "a", "pkey": "b"}, '


def test_the_filter_concerns_routes_and_not_streams() -> None:
    filtered = tagging("set_label=east", "west")
    assert filtered.for_routes(HERE) == (None, None)
    assert filtered.for_stream(HERE) == b'"label": "east", '
    assert tagging("set_label=east", "east").for_routes(HERE)[0] == b'"label": "east", '
    assert tagging("set_tag=5", "east").for_routes(HERE) == (None, None)


def test_routes_are_tagged_by_their_communities() -> None:
    tag, tagger = tagging("set_label=red comms=65001:1\nset_label=other").for_routes(HERE)
    assert tag == b'"label": "other", '
    assert tagger is not None
    assert tagger(RED) == b'"label": "red", '
    assert tagger(bytes(4) + RED) == b'"label": "red", '
    assert tagger(b"") == b'"label": "other", '


def test_the_filter_looks_at_each_route() -> None:
    tag, tagger = tagging("set_label=red comms=65001:1", "red").for_routes(HERE)
    assert tag is None
    assert tagger is not None
    assert (tagger(RED), tagger(b"")) == (b'"label": "red", ', None)


def test_dumps_have_the_tags_that_a_filter_keeps_out_of_the_log() -> None:
    assert tagging(None, "x").for_dumps(HERE) == (b"", None)
    assert tagging("set_label=east", "west").for_dumps(HERE) == (b'"label": "east", ', None)
    tag, tagger = tagging("set_label=red comms=65001:1", "blue").for_dumps(HERE)
    assert tag == b""
    assert tagger is not None
    assert (tagger(RED), tagger(b"")) == (b'"label": "red", ', b"")


def test_tags_that_count_are_asked_for_each_time() -> None:
    content = tag_map("set_tag=1++")
    counting = Tagging(lambda: content, label_as_map=False, label_filter=None)
    tag, tagger = counting.for_routes(HERE)
    assert tag == b""
    assert tagger is not None
    assert [tagger(b"") for _ in range(3)] == [b'"tag": 1, ', b'"tag": 2, ', b'"tag": 3, ']


def test_a_map_that_was_read_again_counts_from_the_next_question_on() -> None:
    maps = [tag_map("set_tag=1"), tag_map("set_tag=2")]
    current = Tagging(lambda: maps[0], label_as_map=False, label_filter=None)
    assert current.for_stream(HERE) == b'"tag": 1, '
    del maps[0]
    assert current.for_stream(HERE) == b'"tag": 2, '


def test_communities_have_the_names_that_a_map_calls_them() -> None:
    assert community_texts(b"") == frozenset()
    assert community_texts(RED + RED + b"\xff\xff\xff\x01\xff\xff\xff\x0f") == {"65001:1", "no-export", "65535:65295"}
