"""AS-path expressions: what they match, what they refuse, and that Python's `re` agrees."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.query.path_expression import (
    ALPHABET,
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_STATES,
    PathExpressionError,
    compile_path_expression,
)

PATHS = ("", "64500", "64500 3356", "64500 174 {200,300}", "123 (64500 3356) 5", "13356", "(65001)", "1 [2,3] 4")

#: `_` in Python's terms.
BOUNDARY = r"(?:^|\Z|[ ,{}()\[\]])"


@pytest.mark.parametrize(
    ("expression", "matching"),
    [
        ("^64500_", {"64500", "64500 3356", "64500 174 {200,300}"}),
        ("_3356$", {"64500 3356"}),
        ("_(174|3356)_", {"64500 3356", "64500 174 {200,300}", "123 (64500 3356) 5"}),
        ("^[0-9]+_[0-9]+$", {"64500 3356"}),
        ("^$", {""}),
        (".*", set(PATHS)),
        ("", set(PATHS)),
        ("^", set(PATHS)),
        ("_{200,300}$", {"64500 174 {200,300}"}),
        ("^__645_*00", {"64500", "64500 3356", "64500 174 {200,300}"}),
        (r"^\(65001\)$", {"(65001)"}),
        ("[^0-9 ]", {"64500 174 {200,300}", "123 (64500 3356) 5", "(65001)", "1 [2,3] 4"}),
        ("[]]", {"1 [2,3] 4"}),
        ("[_]5$", {"123 (64500 3356) 5"}),
        ("1[3-5]", {"13356"}),
        ("1[4-]?33", {"13356"}),
        ("(|174) {", {"64500 174 {200,300}"}),
        ("^(6|4|5|0)+$", {"64500"}),
    ],
)
def test_what_an_expression_matches(expression: str, matching: set[str]) -> None:
    compiled = compile_path_expression(expression)
    assert {path for path in PATHS if compiled.matches(path)} == matching


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("3356*+|*", r"'\*' has nothing to repeat at character 8"),
        ("^(3356", "group is not closed at character 2"),
        ("3356)", r"'\)' closes no group at character 5"),
        ("_[0-9", "set is not closed at character 2"),
        ("[", "set is not closed at character 1"),
        ("1]", "']' closes no set at character 2"),
        ("AS3356", "'A', which no AS path has, at character 1"),
        ("33\\", "backslash is the last character at character 3"),
        (r"[\ ", "set is not closed"),
        ("[9-0]", "range from '9' down to '0' at character 2"),
        ("[a-z]", "set, of which no AS path has a character, at character 1"),
        ("[^ -}]", "set, of which no AS path has a character"),
    ],
)
def test_what_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(PathExpressionError, match=reason):
        compile_path_expression(expression)


def test_an_expression_has_bounds() -> None:
    compile_path_expression("1" * MAX_LENGTH)
    with pytest.raises(PathExpressionError, match=f"{MAX_LENGTH + 1} characters"):
        compile_path_expression("1" * (MAX_LENGTH + 1))
    compile_path_expression("(" * MAX_DEPTH + "1" + ")" * MAX_DEPTH)
    with pytest.raises(PathExpressionError, match="nested deeper"):
        compile_path_expression("(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1))
    compile_path_expression("1" + "." * 9)
    with pytest.raises(PathExpressionError, match=f"more than {MAX_STATES} states"):
        compile_path_expression("1" + "." * 12)


def test_what_would_backtrack_for_ever_does_not() -> None:
    compiled = compile_path_expression("^((([0-9]+)+ ?)+)+$")
    assert compiled.matches("1 " * 10_000 + "1")
    assert not compiled.matches("1" * 10_000 + ",")


def sets() -> st.SearchStrategy[tuple[str, str]]:
    """Sets and their translation."""

    def written(inverted: bool, members: list[str]) -> tuple[str, str]:
        text = "".join(members)
        known = "".join(sorted({c for member in members for c in ALPHABET if member[0] <= c <= member[-1]}))
        if inverted:
            known = "".join(c for c in ALPHABET if c not in known)
        return f"[{'^' if inverted else ''}{text}]", f"[{re.escape(known)}]"

    ranges = st.tuples(st.sampled_from("0123456789"), st.sampled_from("0123456789")).map(sorted)
    member = st.sampled_from("0123456789 ,{}()") | ranges.map("-".join)
    return st.builds(written, st.booleans(), st.lists(member, min_size=1, max_size=3))


ATOMS = (
    st.sampled_from("0123456789 ,{}").map(lambda c: (c, re.escape(c)))
    | st.sampled_from("()[]").map(lambda c: ("\\" + c, "\\" + c))
    | st.sampled_from([("_", BOUNDARY), (".", "."), ("^", "^"), ("$", r"\Z"), ("_", BOUNDARY), ("12", "12")])
    | sets()
)


def larger(inner: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
    repeated = st.builds(
        lambda one, operator: (f"({one[0]}){operator}", f"(?:{one[1]}){operator}"), inner, st.sampled_from("*+?")
    )
    sequence = st.lists(inner, min_size=1, max_size=4).map(lambda parts: tuple(map("".join, zip(*parts, strict=True))))
    either = st.lists(inner, min_size=1, max_size=3).map(
        lambda parts: (f"({'|'.join(p[0] for p in parts)})", f"(?:{'|'.join(p[1] for p in parts)})")
    )
    return repeated | sequence | either


numbers = st.sampled_from(["1", "12", "21", "2", "200"])
words = (
    numbers
    | st.lists(numbers, min_size=1, max_size=3).map(lambda found: "{" + ",".join(found) + "}")
    | st.lists(numbers, min_size=1, max_size=3).map(lambda found: "(" + " ".join(found) + ")")
    | st.lists(numbers, min_size=1, max_size=3).map(lambda found: "[" + ",".join(found) + "]")
)
paths = st.lists(words, max_size=6).map(" ".join) | st.text(ALPHABET, max_size=8)


@given(expression=st.recursive(ATOMS, larger, max_leaves=8), texts=st.lists(paths, min_size=1, max_size=8))
def test_python_agrees(expression: tuple[str, str], texts: list[str]) -> None:
    try:
        compiled = compile_path_expression(expression[0])
    except PathExpressionError as error:
        assert "of which no AS path" in str(error)  # noqa: PT017 - what else it says would be wrong
        return
    for text in texts:
        assert compiled.matches(text) == bool(re.search(expression[1], text)), (expression, text)


@given(text=st.text(ALPHABET + "*+?|^$_.\\-()[]a", max_size=40))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    try:
        compiled = compile_path_expression(text)
    except PathExpressionError:
        return
    assert compiled.start < len(compiled.table) // 2
    assert len(compiled.table) == 2 * len(ALPHABET) * len(compiled.ends)
