"""Events in Avro hold what their JSON records say, for every message of the corpus; schemas are those of pmacct."""

import json
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from routed.octets.errors import WireError
from routed.plumbing.avro import Schema
from routed.plumbing.sink import TEXT
from routed.service.avro_records import AvroEncoding
from routed.service.avro_schema import bgp_dump_schemas, bgp_log_schemas, bmp_dump_schemas, bmp_log_schemas
from routed.service.bmp_records import event_records
from routed.service.records import BMP_ROUTER, PeerText, TimeFormat, dump_event, log_event
from routed.service.settings import RenderSettings, TimestampLayout
from routed.wire.bmp.message import decode_message
from tests.oracles.avro import MOST, decoded, decoded_lines

RENDER = RenderSettings(
    as_path_as_array=False,
    communities_as_array=False,
    communities_numeric=False,
    origin_as_integer=False,
    label_as_map=True,
    peer_id=True,
    extra_attributes=False,
    timestamps=TimestampLayout.PLAIN,
    utc=True,
)
TIMES = TimeFormat(RENDER)
TAG = b'"label": {"nkey": "site1"}, '
PEER = PeerText(address=IPv4Address("192.0.2.9"), port=179, tag=TAG, stream_tag=TAG)
ROUTER = PeerText(
    address=IPv4Address("192.0.2.61"), port=48521, names=BMP_ROUTER, tag=TAG, stream_tag=TAG, dump_tag=TAG
)
CORPUS = Path(__file__).parents[2] / "fuzz" / "corpus" / "bmp"
#: What the schemas of pmacct have no field for.
JSON_ALONE = ("bmp_peer_down_info_", "bmp_init_info_", "bmp_term_info_", "bmp_peer_up_info_")


def read(schemas: dict[str, Schema], line: bytes) -> tuple[str, dict[str, Any]]:
    """The name of an event's schema and its record, which both of Avro's encodings must agree on."""
    encoding = AvroEncoding(RENDER, schemas, "w/1")
    octets, framing = encoding.event(line)
    name = framing.schema.partition(":")[0]
    [record] = decoded(octets, framing.ends, schemas[name])
    text, plain = AvroEncoding(RENDER, schemas, "w/1", as_json=True).event(line)
    assert plain == TEXT
    assert decoded_lines(text, schemas[name]) == [record]
    assert record.pop("writer_id") == "w/1"
    return name, record


def shown(line: bytes, schema: Schema) -> dict[str, Any]:
    """What the JSON of an event says, as far as its schema has fields."""
    known = {field.name for field in schema.fields}
    facts = json.loads(line)
    assert all(key in known or key.startswith(JSON_ALONE) for key in facts)
    facts = {key: value for key, value in facts.items() if key in known}
    value = facts.get("counter_value")
    if value is not None:
        facts["counter_value"] = min(value, MOST) if isinstance(value, int) else 0
    return facts


def without_nothing(record: dict[str, Any]) -> dict[str, Any]:
    """Leave out null, and the empty name that stands for one in statistics."""
    return {key: value for key, value in record.items() if value is not None and (key, value) != ("peer_type_str", "")}


@pytest.mark.parametrize("set_pd", [False, True])
def test_every_event_of_a_router_says_in_avro_what_it_says_in_json(set_pd: bool) -> None:
    logs = bmp_log_schemas(RENDER, tags=True, set_pd=set_pd)
    dumps = bmp_dump_schemas(RENDER, tags=True, set_pd=set_pd)
    seen = set()
    for path in sorted(CORPUS.iterdir()):
        try:
            message = decode_message(path.read_bytes())
        except WireError:
            continue
        for record in event_records(message, set_pd=set_pd):
            for schemas, line in (
                (logs, record.log(3, b"arrived", ROUTER, TIMES)),
                (dumps, record.dump(3, b"due", ROUTER, TIMES)),
            ):
                name, found = read(schemas, line)
                assert name == f"bmp_{record.kind}"
                expected = {key: value for key, value in shown(line, schemas[name]).items() if value is not None}
                assert without_nothing(found) == expected
            seen.add(record.kind)
    assert seen == {"init", "term", "peer_up", "peer_down", "stats", "route_mirror"}


@pytest.mark.parametrize(
    ("protocol", "text", "logs", "dumps"),
    [
        ("bgp", PEER, bgp_log_schemas(RENDER, tags=True), bgp_dump_schemas(RENDER, tags=True)),
        (
            "bmp",
            ROUTER,
            bmp_log_schemas(RENDER, tags=True, set_pd=False),
            bmp_dump_schemas(RENDER, tags=True, set_pd=False),
        ),
    ],
)
def test_what_opens_and_closes_has_schemas_of_its_own(
    protocol: str, text: PeerText, logs: dict[str, Schema], dumps: dict[str, Schema]
) -> None:
    entries = b'"entries": 4, "tables": 1' if protocol == "bgp" else b""
    for schemas, line, name in (
        (logs, log_event(1, b"now", text, b"log_init"), "loginit"),
        (logs, log_event(2, b"now", text, b"log_close"), "logclose"),
        (dumps, dump_event(3, b"due", text, b"dump_init", b'"dump_period": 60'), "dumpinit"),
        (dumps, dump_event(4, b"due", text, b"dump_close", entries), "dumpclose"),
    ):
        found, record = read(schemas, line)
        assert found == f"{protocol}_{name}"
        assert without_nothing(record) == json.loads(line)
        assert record["label"] == {"nkey": "site1"}


def test_schemas_follow_the_options() -> None:
    def types(render: RenderSettings, *, tags: bool) -> dict[str, Any]:
        fields = json.loads(bgp_log_schemas(render, tags=tags)["bgp_msglog"].text)["fields"]
        return {field["name"]: field["type"] for field in fields}

    texts = {"type": "array", "items": "string"}
    plain = types(RENDER, tags=False)
    assert list(plain)[:7] == [
        "log_type",
        "seq",
        "timestamp",
        "event_type",
        "writer_id",
        "peer_ip_src",
        "peer_tcp_port",
    ]
    assert (plain["seq"], plain["peer_tcp_port"], plain["peer_id"]) == ("long", ["null", "int"], "string")
    assert (plain["as_path"], plain["comms"], plain["origin"]) == (["null", "string"],) * 3
    assert types(RENDER, tags=True)["label"] == ["null", {"type": "map", "values": "string"}]
    other = RenderSettings(
        as_path_as_array=True,
        communities_as_array=True,
        communities_numeric=False,
        origin_as_integer=True,
        label_as_map=False,
        peer_id=False,
        extra_attributes=False,
        timestamps=TimestampLayout.PLAIN,
        utc=True,
    )
    changed = types(other, tags=True)
    assert (changed["as_path"], changed["lcomms"], changed["origin"]) == (texts, texts, ["null", "long"])
    assert (changed["label"], "peer_id" in changed) == (["null", "string"], False)
