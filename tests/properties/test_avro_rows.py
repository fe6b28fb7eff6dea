"""Avro rows against JSON rows: the same UPDATEs, styles, peers and tags give records that decode to the same values."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from routed.rib._dump import Snapshot
from routed.rib._rib import PeerRib, Rib
from routed.rib._rows import Rows
from routed.rib._update import apply
from routed.rib._vrps import Vrps
from routed.service.avro_records import AvroEncoding
from routed.service.avro_schema import bgp_dump_schemas, bgp_log_schemas, bmp_dump_schemas, bmp_log_schemas
from routed.service.records import new_rows
from routed.service.settings import RenderSettings, TimestampLayout
from tests.oracles.attributes import Context
from tests.oracles.avro import as_avro_holds, as_json_shows, decoded, decoded_lines
from tests.oracles.compiled import FAMILIES
from tests.properties.strategies import sessions

NOW = b"2026-11-20 15:10:56.904753"
ARRIVAL = b', "timestamp_arrival": "2026-11-20 15:10:57.000001"'
BGP_KEYS = b'"peer_ip_src": "2001:db8::9", "peer_tcp_port": 179, '
BMP_END = (
    b', "bmp_router": "192.0.2.1", "bmp_router_port": 45047, "peer_ip": "192.0.2.9", "peer_asn": 4200000000, '
    b'"peer_tcp_port": 0, "bmp_msg_type": "route_monitor"'
)

renders = st.builds(
    RenderSettings,
    as_path_as_array=st.booleans(),
    communities_as_array=st.booleans(),
    communities_numeric=st.booleans(),
    origin_as_integer=st.booleans(),
    label_as_map=st.booleans(),
    peer_id=st.booleans(),
    extra_attributes=st.just(False),
    timestamps=st.just(TimestampLayout.PLAIN),
    utc=st.just(True),
    validates_origins=st.booleans(),
)


class Shown(NamedTuple):
    """What callers of `Rows` say of a peer."""

    keys: bytes
    vpn_keys: bytes
    end: bytes
    arrival: bytes
    tag: bytes


@st.composite
def peers(draw: st.DrawFn, render: RenderSettings, *, monitored: bool, set_pd: bool) -> Shown:
    """Either kind of peer, with tags of either kind or without."""
    label = b'{"nkey": "a\\"b"}' if render.label_as_map else '"\N{SNOWMAN} a,b"'.encode()
    tag = draw(st.sampled_from((b"", b'"tag": 18446744073709551615, ', b'"label": %s, ' % label)))
    if not monitored:
        keys = BGP_KEYS + (b'"peer_id": "10.0.0.1", ' if render.peer_id else b"")
        return Shown(keys, keys, b"", b"", tag)
    flags = draw(st.sampled_from((b'"is_loc": 1, ', b'"is_post": 0, "is_in": 1, ', b'"is_post": 1, "is_out": 1, ')))
    keys = b'"bmp_rib_type": "Loc-Rib", "is_filtered": 1, %s"bgp_id": "10.0.0.1", ' % flags
    own = b'"pd": "1:192.0.2.1:7", "pd_origin": "bmp", ' if set_pd else b'"rd": "0:1:2", "rd_origin": "bmp", '
    distinguished = draw(st.booleans())
    plain = keys + own if distinguished else keys
    return Shown(plain, plain if set_pd else keys, BMP_END, draw(st.sampled_from((b"", ARRIVAL))), tag)


class Case(NamedTuple):
    """What is to be shown, and how."""

    session: tuple[Context, list[bytes]]
    render: RenderSettings
    monitored: bool
    set_pd: bool
    shown: Shown
    tags: bool


@st.composite
def cases(draw: st.DrawFn) -> Case:
    render = draw(renders)
    monitored, set_pd = draw(st.booleans()), draw(st.booleans())
    shown = draw(peers(render, monitored=monitored, set_pd=set_pd))
    return Case(draw(sessions(damaged=False)), render, monitored, set_pd, shown, bool(shown.tag) or draw(st.booleans()))


def log(rows: Rows, case: Case) -> None:
    """Apply the UPDATEs to a fresh table."""
    context, updates = case.session
    peer = fresh(context)
    begin(rows, case)
    for octets in updates:
        apply(peer, octets, rows)


def begin(rows: Rows, case: Case) -> None:
    shown = case.shown
    rows.origins = Vrps() if case.render.validates_origins else None
    if case.monitored:
        rows.log_monitored(NOW, shown.arrival)
        rows.source(shown.keys, shown.vpn_keys, shown.tag, None, shown.end)
    else:
        rows.log(NOW, shown.keys, shown.tag)


def dump(rows: Rows, case: Case) -> None:
    """Apply the UPDATEs, then dump the table."""
    context, updates = case.session
    peer = fresh(context)
    apply(peer, b"".join(updates))
    rows.origins = Vrps() if case.render.validates_origins else None
    rows.dump(NOW, case.shown.keys, case.shown.tag)
    rows.source(case.shown.keys, case.shown.vpn_keys, case.shown.tag, None, case.shown.end)
    snapshot = Snapshot(peer)
    while snapshot.render(rows, 3):
        continue
    snapshot.close()


def fresh(context: Context) -> PeerRib:
    return PeerRib(
        Rib(0x0123456789ABCDEF),
        as4=context.as4,
        external=context.external,
        add_path=sum(1 << FAMILIES.index(family) for family in context.add_path),
    )


def encoding(case: Case, *, dumps: bool, as_json: bool = False) -> AvroEncoding:
    if case.monitored:
        schemas = bmp_dump_schemas if dumps else bmp_log_schemas
        known = schemas(case.render, tags=case.tags, set_pd=case.set_pd)
    else:
        known = (bgp_dump_schemas if dumps else bgp_log_schemas)(case.render, tags=case.tags)
    return AvroEncoding(case.render, known, "writer/1", as_json=as_json)


@given(case=cases(), dumps=st.booleans())
def test_a_row_says_in_avro_what_it_says_in_json(case: Case, dumps: bool) -> None:
    fill = dump if dumps else log
    text, avro, lines = new_rows(case.render), encoding(case, dumps=dumps), encoding(case, dumps=dumps, as_json=True)
    binary, readable = avro.new_rows(), lines.new_rows()
    for rows in (text, binary, readable):
        rows.sequence = 2**40
        fill(rows, case)
    count = text.count
    octets, framing = avro.take(binary)
    found = decoded(octets, framing.ends, avro.routes)
    assert [as_json_shows(record) for record in found] == as_avro_holds(text.take().decode().splitlines())
    assert len(found) == count
    assert all(record["writer_id"] == "writer/1" for record in found)
    assert decoded_lines(lines.take(readable)[0], lines.routes) == found


@given(case=cases())
def test_where_records_end_is_known_again_after_a_buffer_was_taken(case: Case) -> None:
    avro = encoding(case, dumps=False)
    rows = avro.new_rows()
    log(rows, case)
    first = avro.take(rows)
    rows.sequence = 0
    log(rows, case)
    assert avro.take(rows) == first
