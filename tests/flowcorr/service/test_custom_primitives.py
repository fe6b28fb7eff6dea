import pytest

from flowcorr.service.custom_primitives import MAX_PRIMITIVES, PrimitivesError, parse_custom_primitives
from flowcorr.wire.custom_primitive import ElementField, PacketPointer, Semantics
from routed.plumbing.maps import Limits


def parse(text: str) -> dict[str, object]:
    return dict(parse_custom_primitives(text, "custom.map", Limits()))


def test_rows_of_the_reference_manual() -> None:
    found = parse_custom_primitives(
        "! comment\n\n"
        "name=MPLS_TL_ipv4_address field_type=47 len=4 semantics=ip\n"
        "name=dns\tpacket_ptr=payload:0x11+12 packet_ptr=l4 len=vlen semantics=raw\n"
        "name=first field_type=9:100 len=2 semantics=hex\n"
        "name=second field_type=9:100 len=2 semantics=hex\n",
        "custom.map",
        Limits(),
    )
    assert list(found) == ["mpls_tl_ipv4_address", "dns", "first", "second"]
    assert found["mpls_tl_ipv4_address"].field == ElementField(47, instance=-1)
    assert found["mpls_tl_ipv4_address"].semantics is Semantics.IP
    assert found["dns"].pointers == (PacketPointer("payload", 17, 12), PacketPointer("l4"))
    assert found["dns"].length is None
    assert [found[name].field for name in ("first", "second")] == [ElementField(100, 9), ElementField(100, 9, 1)]
    assert found["second"].where == "[custom.map:6]"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("field_type=1 len=4 semantics=ip", "name is missing"),
        ("name=x field_type=1 semantics=ip", "len is missing"),
        ("name=x len=4 semantics=ip", "neither field_type nor packet_ptr"),
        ("name=x field_type=1 len=4 semantics=u_itn", "did you mean u_int"),
        ("name=x field_type=1 len=9 semantics=u_int", "len=9 of u_int: valid is 1, 2, 3, 4, 5, 6, 7, 8"),
        ("name=x field_type=1 len=5 semantics=mac", "valid is 6"),
        ("name=x field_type=1 len=6 semantics=ip", "valid is 4, 16"),
        ("name=x field_type=1 len=vlen semantics=hex", "vlen is for str and raw"),
        ("name=x field_type=1 len=65535 semantics=raw", "len 65535 is not from 1 to 65534"),
        ("name=x field_type=0 len=4 semantics=ip", "field_type 0"),
        ("name=x field_type=32768 len=4 semantics=ip", "not from 1 to 32767"),
        ("name=x field_type=a:1 len=4 semantics=ip", "'a' is not a number"),
        ("name=x packet_ptr=paylaod len=4 semantics=ip", "did you mean payload"),
        ("name=x packet_ptr=l4+0xffff1 len=4 semantics=ip", "not from 0 to 65535"),
        ('name=x"y field_type=1 len=4 semantics=ip', "is no name"),
        (f"name={'x' * 64} field_type=1 len=4 semantics=ip", "is no name"),
        ("name=x feild_type=1 len=4 semantics=ip", "unknown key 'feild_type'"),
        ("name=x " + "packet_ptr=l4 " * 9 + "len=4 semantics=ip", "packet_ptr#8"),
        ("name=tos field_type=1 len=4 semantics=ip\nname=TOS field_type=2 len=4 semantics=ip", "at \\[custom.map:1\\]"),
    ],
)
def test_a_row_that_is_wrong_is_named_with_its_line(row: str, problem: str) -> None:
    with pytest.raises(PrimitivesError, match=problem) as caught:
        parse(row)
    assert caught.value.lines[0].startswith("[custom.map:")


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(PrimitivesError) as caught:
        parse("name=a\nname=b\n")
    assert len(caught.value.lines) == 2


def test_there_may_be_so_many_and_no_more() -> None:
    rows = [f"name=p{number} field_type={number + 1} len=4 semantics=u_int" for number in range(MAX_PRIMITIVES + 1)]
    assert len(parse("\n".join(rows[:-1]))) == MAX_PRIMITIVES
    with pytest.raises(PrimitivesError, match="more than 64"):
        parse("\n".join(rows))
