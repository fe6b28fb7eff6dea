"""What exporters told about themselves: as much as there is room for."""

from flowcorr.columns._texts import Texts
from flowcorr.wire._facts import Facts, FactsRoom

#: Of one kind, of one exporter.
MOST_FACTS = 65_536


def test_facts_of_a_kind_have_a_ceiling_and_those_that_stand_may_change() -> None:
    room = FactsRoom(2 * MOST_FACTS)
    facts = Facts(Texts(), room)
    assert all(facts.set("sampler", key, 1) for key in range(MOST_FACTS))
    assert not facts.set("sampler", MOST_FACTS, 1)
    assert facts.set("sampler", 7, 1000)
    assert facts.set("ingress_rd", MOST_FACTS, 1)
    assert (facts.get("sampler", 7), facts.get("sampler", MOST_FACTS)) == (1000, None)
    assert (len(facts), room.left, room.refused) == (MOST_FACTS + 1, MOST_FACTS - 1, 1)


def test_all_exporters_share_a_room_that_is_given_back() -> None:
    texts, room = Texts(), FactsRoom(3)
    one, other = Facts(texts, room), Facts(texts, room)
    assert one.set("sampler", 1, 10)
    assert one.set_text("interface_name", 1, b"xe-0/0/1")
    assert other.set("sampler", 1, 10)
    assert not other.set("sampler", 2, 10)
    assert not other.set_text("vrf_name", 1, b"blue")
    assert (room.left, room.refused) == (0, 2)
    del one
    assert room.left == 2
    assert other.set_text("vrf_name", 1, b"blue")
    del other
    assert (room.left, texts.sweep(), texts.count) == (3, 2, 0)


def test_names_leave_half_of_the_texts_to_flows() -> None:
    texts, room = Texts(100_000), FactsRoom(10_000)
    facts = Facts(texts, room)
    kept = sum(facts.set_text("interface_name", number, b"%0200d" % number) for number in range(1_000))
    assert 0 < kept == len(facts) == 1_000 - room.refused
    assert 0.5 < texts.octets / texts.most_octets < 0.51
    assert facts.set_text("interface_name", 5000, b"")
    assert texts.id_of(b"64500 64501")
