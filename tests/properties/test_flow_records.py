"""Compiled records of flows against a decoder that reads them field by field."""

from hypothesis import given
from hypothesis import strategies as st

from tests.flowcorr.exports import Input, export_set, ipfix, template, v9
from tests.oracles import flow_records as oracle

KNOWN = sorted({element for elements in (*oracle.NUMBERS.values(), *oracle.ADDRESSES.values()) for element in elements})
NAMES = " ".join([*oracle.NUMBERS, *oracle.ADDRESSES])
RECORDS = 3


@st.composite
def fields(draw: st.DrawFn) -> list[oracle.Field]:
    """A template with an octet counter, so that its records are no events, and the values of its records."""
    found = [oracle.Field(1, 4, [draw(st.binary(min_size=4, max_size=4)) for _ in range(RECORDS)])]
    for _ in range(draw(st.integers(0, 12))):
        element = draw(st.sampled_from([*KNOWN, 1000, 2000]))
        is_address = any(element in elements for elements in oracle.ADDRESSES.values())
        length = 4 if is_address else draw(st.sampled_from([1, 2, 3, 4, 5, 8, oracle.VARIABLE]))
        least, most = (0, 8) if length == oracle.VARIABLE else (length, length)
        if length == oracle.VARIABLE and element >= 1000:
            most = 300
        values = [draw(st.binary(min_size=least, max_size=most)) for _ in range(RECORDS)]
        found.append(oracle.Field(element, length, values))
    return draw(st.permutations(found))


@given(template_fields=fields(), capacity=st.integers(2, 5), is_v9=st.booleans())
def test_records_become_the_rows_that_the_oracle_reads(
    template_fields: list[oracle.Field], capacity: int, is_v9: bool
) -> None:
    i = Input(NAMES, capacity=capacity)
    layout = template(300, *((field.element, field.length) for field in template_fields))
    records = export_set(300, *(oracle.encode(template_fields, n) for n in range(RECORDS)))
    make, set_id = (v9, 0) if is_v9 else (ipfix, 2)
    rows = i.take(make(export_set(set_id, layout)), make(records))
    names = {*oracle.NUMBERS, *oracle.ADDRESSES}
    found = [{name: value for name, value in row.items() if name in names} for row in rows]
    assert found == [oracle.decode(template_fields, n) for n in range(RECORDS)]
