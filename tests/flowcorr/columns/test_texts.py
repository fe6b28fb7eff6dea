import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcorr.columns._texts import Texts


def test_equal_strings_have_equal_ids() -> None:
    texts = Texts()
    assert texts.id_of(b"64500_64501") == texts.id_of(b"64500_64501") != texts.id_of(b"64500")
    assert texts.octets_of(texts.id_of(b"64500")) == b"64500"


def test_the_empty_string_is_0_for_ever() -> None:
    texts = Texts()
    assert (texts.id_of(b""), texts.octets_of(0), texts.sweep()) == (0, b"", 0)


def test_what_nobody_holds_is_gone_after_a_sweep() -> None:
    texts = Texts()
    held, loose = texts.id_of(b"held"), texts.id_of(b"loose")
    texts.hold(held)
    assert texts.sweep() == 1
    assert texts.octets_of(held) == b"held"
    with pytest.raises(KeyError):
        texts.octets_of(loose)


def test_the_last_one_to_let_go_frees_it() -> None:
    texts = Texts()
    text = texts.id_of(b"text")
    texts.hold(text)
    texts.hold(text)
    texts.sweep()
    texts.release(text)
    assert texts.octets_of(text) == b"text"
    texts.release(text)
    assert (texts.count, texts.octets) == (0, 0)
    with pytest.raises(KeyError):
        texts.release(text)


def test_letting_go_of_what_nobody_holds_is_refused() -> None:
    texts = Texts()
    with pytest.raises(ValueError, match="nobody holds"):
        texts.release(texts.id_of(b"text"))


def test_what_would_go_beyond_the_memory_is_refused_and_counted() -> None:
    texts = Texts(most_octets=100)
    assert texts.id_of(bytes(76))
    assert (texts.id_of(b"x"), texts.refused) == (0, 1)
    texts.sweep()
    assert texts.id_of(b"x")


def test_a_string_of_all_the_memory_fits_and_one_octet_more_does_not() -> None:
    assert Texts(most_octets=100).id_of(bytes(76))
    assert not Texts(most_octets=100).id_of(bytes(77))


@given(st.lists(st.tuples(st.sampled_from("ihrs"), st.integers(0, 40)), max_size=200))
def test_any_steps_leave_what_is_held_and_only_that(steps: list[tuple[str, int]]) -> None:
    texts = Texts()
    held: dict[bytes, int] = {}
    for step, number in steps:
        text = b"%d" % (number % 17) * (1 + number)
        if step == "i":
            assert texts.octets_of(texts.id_of(text)) == text
        elif step == "h":
            texts.hold(texts.id_of(text))
            held[text] = held.get(text, 0) + 1
        elif step == "r" and held.get(text):
            texts.release(texts.id_of(text))
            held[text] -= 1
        elif step == "s":
            texts.sweep()
            assert texts.count == sum(1 for count in held.values() if count)
    for text, count in held.items():
        if count:
            assert texts.octets_of(texts.id_of(text)) == text


def test_many_strings_come_and_go() -> None:
    texts = Texts()
    kept = [texts.id_of(b"kept %d" % i) for i in range(5_000)]
    for text in kept:
        texts.hold(text)
    for turn in range(3):
        for i in range(5_000):
            texts.id_of(b"loose %d" % (turn * 5_000 + i))
        assert texts.sweep() == 5_000
    assert [texts.octets_of(text) for text in kept] == [b"kept %d" % i for i in range(5_000)]
