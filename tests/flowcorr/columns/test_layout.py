import pytest

from flowcorr.columns._batch import Batch
from flowcorr.columns.column import NO_ADDRESS, Column, Kind
from flowcorr.columns.layout import Layout

COLUMNS = [Column(kind.name.lower(), kind) for kind in Kind]


def test_columns_lie_side_by_side_and_aligned() -> None:
    layout = Layout(COLUMNS)
    taken: set[int] = set()
    for column in layout:
        at = layout.offset(column.name)
        place = set(range(at, at + column.kind.width))
        assert not place & taken
        assert at % column.kind.alignment == 0
        taken |= place
    assert layout.stride % 8 == 0
    assert layout.stride - len(taken) < 8


def test_a_column_that_several_ask_for_is_one() -> None:
    assert Layout([*COLUMNS, *COLUMNS]).stride == Layout(COLUMNS).stride


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="one name"):
        Layout([Column("vlan", Kind.U16), Column("vlan", Kind.U32)])


def test_a_column_nobody_asks_for_has_no_place() -> None:
    layout = Layout(COLUMNS)
    assert layout.offset("vlan") == -1
    assert "vlan" not in layout


def test_a_layout_without_columns_still_has_rows() -> None:
    batch = Batch(Layout([]), 2)
    batch.append()
    assert len(batch) == 1


def test_a_new_row_is_blank() -> None:
    batch = Batch(Layout(COLUMNS), 1)
    batch.append()
    assert bytes(batch.rows[0]["address"]) == NO_ADDRESS
    assert all(not any(bytes(batch.rows[0][c.name].tobytes())) for c in COLUMNS if c.kind is not Kind.ADDRESS)


def test_rows_are_the_buffer_itself() -> None:
    batch = Batch(Layout(COLUMNS), 3)
    for value in range(3):
        batch.append(u32=value, address=bytes(15) + bytes([value]))
    batch.rows["u16"] = 7
    assert batch.rows["u32"].tolist() == [0, 1, 2]
    assert batch.rows["u16"].tolist() == [7, 7, 7]
    assert bytes(batch.rows["address"][2]) == bytes(15) + b"\x02"
    batch.clear()
    assert len(batch.rows) == 0


def test_a_full_batch_and_an_unknown_column_are_refused() -> None:
    batch = Batch(Layout(COLUMNS), 1)
    with pytest.raises(KeyError):
        batch.append(vlan=1)
    assert len(batch) == 0
    batch.append()
    with pytest.raises(IndexError):
        batch.append()
