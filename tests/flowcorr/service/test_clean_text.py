"""Rows with hostile texts, read back by others."""

from hypothesis import given
from hypothesis import strategies as st

from flowcorr.service.render import Output
from tests.flowcorr.service.rows import FIRST_OF_TEXTS, TEXTS, Rows, cleaned, one_json


@given(st.fixed_dictionaries(dict.fromkeys(FIRST_OF_TEXTS, TEXTS)))
def test_whatever_a_text_holds_json_and_csv_are_read_back(values: dict[str, bytes]) -> None:
    expected = {name: cleaned(text) for name, text in values.items()}
    expected["class"] = expected["class"] or "unknown"
    shown = {"std_comm": "comms"}
    rows = Rows(", ".join(FIRST_OF_TEXTS))
    rows.add(**values)
    [row] = rows.json()
    assert {name: row[shown.get(name, name)] for name in values} == expected
    for separator in ",;\t ":
        rows.add(**values)
        [columns] = rows.csv(separator=separator)
        headers = {"std_comm": "COMMS"}
        assert {name: columns[headers.get(name, name.upper())] for name in values} == expected


@given(TEXTS)
def test_no_control_character_reaches_a_formatted_column(text: bytes) -> None:
    rows = Rows("label, tos")
    rows.add(label=text)
    line = rows.write(output=Output.FORMATTED).decode()
    assert line.endswith("\n")
    assert all(character >= " " and character != "\x7f" for character in line[:-1])


def test_long_texts_find_room() -> None:
    text = b'"\x01\xff' * 60_000
    row = one_json("as_path, label", {"as_path": text, "label": text}, as_path_as_array=True, label_as_map=True)
    assert row["as_path"] == [cleaned(text)]
