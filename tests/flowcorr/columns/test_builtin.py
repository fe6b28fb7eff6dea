"""The table of built-in columns."""

from flowcorr.columns.builtin import ALWAYS, BUILTIN, MEANINGS, NAMES, custom_column
from flowcorr.columns.column import Column, Kind
from flowcorr.columns.layout import Layout


def test_every_name_has_one_kind() -> None:
    assert sum(len(names.split()) for names in NAMES.values()) == len(BUILTIN)


def test_all_columns_fit_into_one_row() -> None:
    layout = Layout(BUILTIN.values())
    assert set(layout.columns) == set(BUILTIN)


def test_what_is_explained_exists() -> None:
    assert set(MEANINGS) <= set(BUILTIN)
    assert {column.name for column in ALWAYS} <= set(BUILTIN)


def test_a_custom_column_may_share_the_name_of_a_primitive() -> None:
    assert custom_column("vrf_name", Kind.U32) == Column("custom:vrf_name", Kind.U32)
    assert len(list(Layout([BUILTIN["vrf_name"], custom_column("vrf_name", Kind.U32)]))) == 2
