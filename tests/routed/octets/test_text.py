"""Text is cut between characters."""

from hypothesis import given
from hypothesis.strategies import integers, text

from routed.octets import cut_utf8


@given(said=text(max_size=30), most=integers(0, 60))
def test_the_longest_whole_beginning_that_fits(said, most):
    octets = cut_utf8(said, most)
    beginning = octets.decode()
    assert said.startswith(beginning)
    assert len(octets) <= most
    assert beginning == said or len((beginning + said[len(beginning)]).encode()) > most
