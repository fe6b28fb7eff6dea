"""Unassigned code points survive; nonsense does not become one."""

import pytest

from routed.octets import CodePoint


class Colour(CodePoint):
    RED = 1


def test_an_assigned_value_has_its_name():
    assert Colour(1) is Colour.RED
    assert Colour.RED.is_assigned


def test_an_unassigned_value_is_an_integer_that_says_so():
    other = Colour(77)
    assert (other.name, other.value, int(other), other.is_assigned) == ("UNASSIGNED_77", 77, 77, False)
    assert other == 77 == Colour(77)
    assert {other: "kept"}[77] == "kept"
    assert list(Colour) == [Colour.RED]


@pytest.mark.parametrize("nonsense", [-1, "1", 1.5, None])
def test_what_no_registry_can_hold_is_refused(nonsense):
    with pytest.raises(ValueError, match="not a valid Colour"):
        Colour(nonsense)
