import pytest

from routed.octets import WireError
from routed.wire import mrt
from routed.wire.family import STORABLE

V4 = mrt.Endpoints(peer_as=65001, local_as=65000, peer_address=bytes(4), local_address=b"\1\2\3\4", interface_index=2)
V6 = mrt.Endpoints(peer_as=65001, local_as=65000, peer_address=bytes(16), local_address=bytes(range(16)))


@pytest.mark.parametrize("microseconds", [None, 0, 999_999])
@pytest.mark.parametrize("endpoints", [V4, V6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("as4", [True, False])
@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize("add_path", [True, False])
def test_messages_survive_the_round_trip(
    microseconds: int | None, endpoints: mrt.Endpoints, as4: bool, local: bool, add_path: bool
) -> None:
    message = mrt.BgpMessage(endpoints=endpoints, octets=b"message", as4=as4, local=local, add_path=add_path)
    record = mrt.encode_bgp4mp(message, 1_700_000_000, microseconds)
    assert record.type is (mrt.MrtType.BGP4MP if microseconds is None else mrt.MrtType.BGP4MP_ET)
    assert mrt.decode_message(record) == message


@pytest.mark.parametrize("as4", [True, False])
def test_state_changes_survive_the_round_trip(as4: bool) -> None:
    change = mrt.StateChange(
        endpoints=V6, old_state=mrt.BgpState.OPEN_CONFIRM, new_state=mrt.BgpState.ESTABLISHED, as4=as4
    )
    assert mrt.decode_message(mrt.encode_bgp4mp(change, 0)) == change


@pytest.mark.parametrize("add_path", [True, False])
def test_the_subtype_says_how_to_read_the_message(add_path: bool) -> None:
    """RFC 8050 section 3."""
    context = mrt.BgpMessage(endpoints=V4, octets=b"", as4=False, add_path=add_path).context
    assert context.as4 is False
    assert context.add_path == (STORABLE if add_path else frozenset())


def test_addresses_of_another_family_are_refused() -> None:
    octets = bytes(6) + b"\x00\x03" + bytes(8)
    with pytest.raises(WireError, match="AFI 3") as caught:
        mrt.decode_message(mrt.Record(0, mrt.MrtType.BGP4MP, 1, octets))
    assert caught.value.offset == 6


def test_a_dropped_subtype_is_left_as_it_is() -> None:
    record = mrt.Record(0, mrt.MrtType.BGP4MP, 3, b"snapshot")
    assert mrt.decode_message(record) is record
