"""Templates that one collector heard and another one learns: as messages, and as answers to questions."""

from typing import Any

import orjson
import pytest

from flowcorr.collect import limits
from flowcorr.collect.settings import IntakeSettings
from flowcorr.collect.template_exchange import MOST_LINES, ExchangeError, Listener, Teller
from flowcorr.collect.template_sets import message_of, template_sets
from flowcorr.model.event import TemplatesHeard
from routed.octets.errors import WireError
from tests.flowcorr.exports import (
    NOW,
    ROUTER,
    Input,
    export_set,
    ipfix,
    only,
    options_ipfix,
    options_v9,
    packed,
    template,
    v9,
)

SIMPLE = template(300, (8, 4), (1, 4))
OTHER = template(300, (12, 4), (1, 4))
FLOW = export_set(300, bytes([10, 0, 0, 1, 0, 0, 0, 100]))
US = 1_000_000


def learn(i: Input, datagram: bytes, sender: str = ROUTER, now: int = NOW) -> list[bool]:
    return [i.intake.learn(found, packed(sender), 2055, now * US) for found in template_sets(datagram)]


@pytest.mark.parametrize(
    ("message", "sets"),
    [
        (v9(export_set(0, SIMPLE), FLOW, export_set(1, options_v9(301, [(1, 4)], (34, 4)))), [0, 1]),
        (ipfix(FLOW, export_set(2, SIMPLE), export_set(3, options_ipfix(301, [(130, 4)], (34, 4)))), [2, 3]),
        (ipfix(export_set(2, SIMPLE)) + ipfix(export_set(3, options_ipfix(301, [(130, 4)], (34, 4)))), [2, 3]),
        (v9(FLOW), []),
    ],
)
def test_sets_of_templates_are_found_among_others(message: bytes, sets: list[int]) -> None:
    assert [found.set_id for found in template_sets(message)] == sets


@pytest.mark.parametrize(
    ("message", "offset"),
    [
        (v9(export_set(0, SIMPLE))[:15], 4),
        (v9(b"\0\0\0\3"), 20),
        (ipfix(b"\0\2\0\x40" + SIMPLE), 20),
        (b"\0\5" + bytes(60), 0),
        (b"\0", 0),
    ],
)
def test_what_breaks_the_format_is_refused_with_its_place(message: bytes, offset: int) -> None:
    with pytest.raises(WireError) as refused:
        list(template_sets(message))
    assert refused.value.offset == offset


@pytest.mark.parametrize(
    "datagram",
    [
        v9(FLOW, export_set(0, SIMPLE), sequence=7, domain=3),
        ipfix(export_set(2, SIMPLE), FLOW, sequence=7, domain=3),
    ],
)
def test_what_one_collector_hears_lets_another_one_read(datagram: bytes) -> None:
    """Records that came to it before are read then, of the same exporter and domain only."""
    one, other = Input(settings=IntakeSettings(report_templates=True)), Input()
    one.take(datagram)
    [heard] = [event for event in one.events if isinstance(event, TemplatesHeard)]
    message = message_of(heard.header, heard.set_id, heard.octets)
    data = v9 if datagram[1] == 9 else ipfix
    assert other.take(data(FLOW, domain=3), data(FLOW, domain=4)) == []
    assert learn(other, message) == [True]
    assert other.intake.waits
    assert only(other.take(), "src_host", "bytes") == [("10.0.0.1", 100)]
    assert [event for event in other.events if isinstance(event, TemplatesHeard)] == []
    assert one.intake.statistics(0)["datagrams"] == 1


def test_templates_of_others_do_not_count_as_datagrams_nor_as_jumps() -> None:
    i = Input(settings=IntakeSettings(report_sequence=True))
    learn(i, v9(export_set(0, SIMPLE), sequence=1000))
    assert only(i.take(v9(FLOW, sequence=5)), "bytes") == [(100,)]
    counted = i.intake.statistics(0)
    assert (counted["datagrams"], counted["jumps_forward"], counted["jumps_backward"]) == (1, 0, 0)


def test_templates_of_others_are_held_to_the_limits_of_exporters() -> None:
    i = Input(settings=IntakeSettings(most_exporters=1), allow=lambda address: address != packed("192.0.2.9"))
    assert learn(i, v9(export_set(0, SIMPLE)), sender="192.0.2.9") == [False]
    assert i.intake.not_allowed == 1
    assert learn(i, v9(export_set(0, SIMPLE))) == [True]
    assert learn(i, v9(export_set(0, SIMPLE)), sender="192.0.2.2") == [False]
    assert i.intake.exporters_refused == 1
    assert learn(i, v9(export_set(0, template(301, (8, 4))[:-1]))) == [False]
    many = [template(256 + number, (8, 4)) for number in range(limits.MOST_TEMPLATES + 5)]
    assert learn(i, v9(export_set(0, *many))) == [True]
    assert i.intake.templates.count == limits.MOST_TEMPLATES


def test_an_exporter_of_which_only_templates_come_is_kept_as_long_as_they_do() -> None:
    i = Input()
    learn(i, v9(export_set(0, SIMPLE)))
    i.intake.age(NOW * US + limits.FORGET_US)
    assert len(i.intake.exporters) == 1
    i.intake.age(NOW * US + limits.FORGET_US + 1)
    assert len(i.intake.exporters) == 0


# questions and answers


def ask(teller: Teller, listener: Listener, now: int = NOW) -> bool:
    return listener.take(teller.answer([listener.question()]), now * US)


def many(count: int) -> bytes:
    return export_set(0, *(template(300 + number, (8, 4), (1, 4)) for number in range(count)))


@pytest.mark.parametrize("count", [0, 1, MOST_LINES - 1, MOST_LINES, MOST_LINES + 1, 3 * MOST_LINES])
def test_everything_is_told_in_pages_and_then_only_what_changes(count: int) -> None:
    one, other = Input(), Input()
    one.take(v9(many(count)))
    teller, listener = Teller(one.intake, "first"), Listener(other.intake)
    pages = 1
    while ask(teller, listener):
        pages += 1
    assert pages == max(1, -(-count // MOST_LINES))
    assert (other.intake.templates.count, listener.taken, listener.refused) == (count, count, 0)
    assert not ask(teller, listener)
    assert listener.taken == count
    one.take(v9(export_set(0, OTHER)), now=NOW + 1)
    assert not ask(teller, listener, NOW + 1)
    assert listener.taken == count + 1
    assert only(other.take(v9(FLOW)), "dst_host") == [("10.0.0.1",)]


def test_after_a_new_start_everything_is_told_again() -> None:
    one, again, other = Input(), Input(), Input()
    one.take(v9(many(3)))
    again.take(v9(many(1)))
    listener = Listener(other.intake)
    ask(Teller(one.intake, "first"), listener)
    ask(Teller(again.intake, "second"), listener)
    assert listener.taken == 4
    listener.begin_anew()
    ask(Teller(again.intake, "second"), listener)
    assert listener.taken == 5


def test_the_template_that_was_heard_later_counts() -> None:
    """Everybody tells all that he knows, so an old meaning comes back; it does not take the place of the new one."""
    one, other = Input(), Input()
    one.take(v9(export_set(0, SIMPLE)))
    from_one, from_other = Listener(other.intake), Listener(one.intake)
    ask(Teller(one.intake, "one"), from_one)
    one.take(v9(export_set(0, OTHER)), now=NOW + 5)
    ask(Teller(other.intake, "other"), from_other, NOW + 6)
    assert only(one.take(v9(FLOW)), "dst_host") == [("10.0.0.1",)]
    ask(Teller(one.intake, "one"), from_one, NOW + 7)
    assert only(other.take(v9(FLOW)), "dst_host") == [("10.0.0.1",)]
    last = one.intake.templates.changes.last, other.intake.templates.changes.last
    for _ in range(3):  # and then there is peace
        ask(Teller(one.intake, "one"), from_one, NOW + 8)
        ask(Teller(other.intake, "other"), from_other, NOW + 8)
    assert (one.intake.templates.changes.last, other.intake.templates.changes.last) == last


def told(**change: Any) -> list[bytes]:
    """An answer of one template, with something else in it."""
    one = Input()
    one.take(v9(export_set(0, SIMPLE)))
    header, line = Teller(one.intake, "one").answer([orjson.dumps({"since": 0})])
    return [header, orjson.dumps(orjson.loads(line) | change)]


def test_a_template_from_the_future_gives_way_to_one_that_is_heard() -> None:
    i = Input()
    Listener(i.intake).take(told(heard=(NOW + 10_000) * US), NOW * US)
    i.take(v9(export_set(0, OTHER)), now=NOW)
    assert only(i.take(v9(FLOW)), "dst_host") == [("10.0.0.1",)]


@pytest.mark.parametrize(
    "change",
    [
        {"heard": NOW * US - limits.FORGET_US},
        {"heard": -1},
        {"heard": True},
        {"heard": None},
        {"agent": 5.5},
        {"agent": "192.0.2.9"},
        {"fields": [[0, 8, 4]] * 513},
        {"fields": [[0, 8, 0]]},
        {"fields": 7},
        {"scope": 3},
        {"version": 5},
        {"template_id": 0},
    ],
)
def test_a_template_that_is_none_is_refused_and_the_others_count(change: dict[str, Any]) -> None:
    i = Input(allow=lambda address: address != packed("192.0.2.9"))
    listener = Listener(i.intake)
    header, line = told(**change)
    listener.take([header, line, b"[", b"[]", told()[1]], NOW * US)
    assert (listener.taken, listener.refused) == (1, 3)


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b""],
        [b"7"],
        [b"{}"],
        [orjson.dumps({"epoch": 5, "until": 0, "more": False})],
        [orjson.dumps({"epoch": "e" * 65, "until": 0, "more": False})],
        [orjson.dumps({"epoch": "e", "until": -1, "more": False})],
        [orjson.dumps({"epoch": "e", "until": 0, "more": 1})],
        [orjson.dumps({"epoch": "e", "until": 0, "more": False}), *[b"{}"] * (MOST_LINES + 1)],
    ],
)
def test_what_is_no_answer_is_refused_as_a_whole(frames: list[bytes]) -> None:
    listener = Listener(Input().intake)
    with pytest.raises(ExchangeError):
        listener.take(frames, NOW * US)
    assert (listener.taken, listener.refused) == (0, 0)


@pytest.mark.parametrize("frames", [[], [b"", b""], [b"[]"], [b'{"epoch":"one","since":-1}']])
def test_what_is_no_question_is_refused(frames: list[bytes]) -> None:
    with pytest.raises(ExchangeError):
        Teller(Input().intake, "one").answer(frames)


def test_who_promises_more_and_has_none_is_not_asked_at_once() -> None:
    listener = Listener(Input().intake)
    header = orjson.dumps({"epoch": "e", "until": 9, "more": True})
    assert listener.take([header], NOW * US)
    assert not listener.take([header], NOW * US)


def test_changes_that_were_overtaken_are_forgotten() -> None:
    """A template that changes all the time costs no more than one that does not."""
    i, other = Input(), Input()
    for turn in range(500):
        i.take(v9(export_set(0, SIMPLE if turn % 2 else OTHER)), now=NOW + turn)
    changes = i.intake.templates.changes
    assert len(changes._numbers) <= 2 + 64
    listener = Listener(other.intake)
    assert not ask(Teller(i.intake, "one"), listener, NOW + 1000)
    assert listener.taken == 1
