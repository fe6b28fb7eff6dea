"""Every decoder that reads what others wrote, in one table: whoever adds a row has it fuzzed.

A row says how to call the decoder on octets, where its seeds lie, how seeds are damaged, and which exceptions it may
raise: the one of its layer, or none.
"""

from functools import partial
from typing import Final

from flowcorr.collect.template_exchange import ExchangeError
from flowcorr.daemon.packet_filters import ExpressionError, expressions_of
from flowcorr.wire.sflow_counters import decode_counters
from routed.daemon.keys import KEYS
from routed.octets import Cursor
from routed.plumbing.config import configure
from routed.plumbing.maps import Limits, parse_rows
from routed.plumbing.statements import parse_statements
from routed.query.codec import QueryError, decode_request
from routed.query.path_expression import PathExpressionError, compile_path_expression
from routed.query.request import Question
from routed.rib._aspa import Attestations
from routed.rib._condition import Condition
from routed.service.conditions import compile_condition
from routed.service.questions import families_of, rd_of
from routed.wire.bgp.capability import decode_capability
from routed.wire.bgp.header import decode_message
from routed.wire.bgp.notification import decode_notification
from routed.wire.bgp.open import decode_open
from routed.wire.bgp.refresh import decode_route_refresh
from routed.wire.isis.gre import decode_gre, decode_keepalive
from routed.wire.proxy_protocol import PrefaceReader
from tests.fuzz.bgp_calls import (
    apply_in_every_context,
    decode_bmp,
    decode_update_in_every_context,
    feed_bmp_stream,
    feed_stream,
    monitor,
    read_mrt,
)
from tests.fuzz.conversations import converse, hear_neighbor, serve_http
from tests.fuzz.decoder import Decoder
from tests.fuzz.flow_calls import (
    learn_from_others,
    pass_templates_on,
    read_networks,
    run_program,
    take_flows,
    take_samples,
)
from tests.fuzz.mutate import mutate_isis, mutate_update
from tests.fuzz.seeds import bmp_messages, capabilities, corpus, messages, monitoring, of_type, updates

ATTESTATIONS: Final = Attestations({65001: frozenset({65002})})


def read_configuration(octets: bytes) -> object:
    statements = parse_statements(octets.decode("utf-8", "surrogateescape"), "fuzzed")
    return configure(KEYS, statements.statements, statements.problems)


def read_map(octets: bytes) -> object:
    keys = {"set_tag", "set_label", "ip", "id", "filter", "jeq", "label"}
    return parse_rows(octets.decode("utf-8", "surrogateescape"), "fuzzed", keys, Limits())


def read_path_expression(octets: bytes) -> object:
    """Compile, and search for it in what a path looks like."""
    expression = compile_path_expression(octets.decode("latin-1"))
    assert Condition.path(expression).count == 1
    return [expression.matches(text) for text in ("", "64500 3356 {200,300}", "(65001 65002) 4200000000 1")]


def read_query(octets: bytes) -> object:
    """Read a message of the looking glass, a frame a line, and compile what it asks for."""
    request = decode_request(octets.split(b"\n"))
    for question in request.questions:
        if isinstance(question, Question):
            families_of(question)
            rd_of(question)
            if question.where is not None:
                compile_condition(question.where, ATTESTATIONS)
    return request


DECODERS: Final = (
    Decoder(
        name="isis", decode=hear_neighbor, seeds=partial(corpus, "isis"), mutate=mutate_isis, mutations=2_000, raises=()
    ),
    Decoder(name="gre", decode=decode_gre, seeds=partial(corpus, "gre")),
    Decoder(
        name="gre keepalive",
        decode=partial(decode_keepalive, key=None, local=bytes((10, 9, 0, 1)), remote=bytes((10, 9, 0, 2))),
        seeds=partial(corpus, "gre"),
    ),
    Decoder(name="gre with a key", decode=partial(decode_gre, key=0), seeds=partial(corpus, "gre")),
    Decoder(name="rtr", decode=converse, seeds=partial(corpus, "rtr"), mutations=1_000, is_compiled=True, raises=()),
    Decoder(
        name="update path",
        decode=apply_in_every_context,
        seeds=updates,
        mutate=mutate_update,
        is_compiled=True,
        raises=(),
    ),
    Decoder(name="stream", decode=feed_stream, seeds=messages, is_compiled=True, raises=()),
    Decoder(name="message", decode=lambda octets: decode_message(Cursor(octets)), seeds=messages),
    Decoder(name="open", decode=lambda octets: decode_open(Cursor(octets)), seeds=partial(of_type, 1)),
    Decoder(name="notification", decode=lambda octets: decode_notification(Cursor(octets)), seeds=partial(of_type, 3)),
    Decoder(name="refresh", decode=lambda octets: decode_route_refresh(Cursor(octets)), seeds=partial(of_type, 5)),
    Decoder(name="capability", decode=lambda octets: decode_capability(Cursor(octets)), seeds=capabilities),
    Decoder(name="update value", decode=decode_update_in_every_context, seeds=updates, mutate=mutate_update, raises=()),
    Decoder(name="bmp", decode=decode_bmp, seeds=bmp_messages),
    Decoder(name="monitoring", decode=monitor, seeds=monitoring, mutations=8_000, is_compiled=True, raises=()),
    Decoder(name="bmp stream", decode=feed_bmp_stream, seeds=bmp_messages, is_compiled=True, raises=()),
    Decoder(name="mrt", decode=lambda octets: list(read_mrt(octets)), seeds=partial(corpus, "mrt"), raises=()),
    Decoder(name="proxy header", decode=lambda octets: PrefaceReader().receive(octets), seeds=partial(corpus, "proxy")),
    Decoder(
        name="configuration",
        decode=read_configuration,
        seeds=partial(corpus, "config"),
        mutations=100,  # each unknown key is compared with all known ones
        raises=(),
    ),
    Decoder(
        name="path expression",
        decode=read_path_expression,
        seeds=partial(corpus, "path_expression"),
        is_compiled=True,
        raises=(PathExpressionError,),
    ),
    Decoder(name="query", decode=read_query, seeds=partial(corpus, "query"), raises=(QueryError,)),
    Decoder(name="http", decode=serve_http, seeds=partial(corpus, "http"), mutations=400, raises=()),
    Decoder(
        name="flows",
        decode=take_flows,
        seeds=partial(corpus, "flow"),
        mutations=800,
        is_compiled=True,
        raises=(),
    ),
    Decoder(name="templates passed on", decode=pass_templates_on, seeds=partial(corpus, "flow"), mutations=300),
    Decoder(
        name="templates told",
        decode=learn_from_others,
        seeds=partial(corpus, "templates"),
        mutations=400,
        raises=(ExchangeError,),
    ),
    Decoder(
        name="samples",
        decode=take_samples,
        seeds=partial(corpus, "sflow"),
        mutations=800,
        is_compiled=True,
        raises=(),
    ),
    Decoder(
        name="counters",
        decode=lambda octets: decode_counters(Cursor(octets), 5),
        seeds=partial(corpus, "sflow-counters"),
        mutations=800,
    ),
    Decoder(
        name="old counters",
        decode=lambda octets: decode_counters(Cursor(octets), 4),
        seeds=partial(corpus, "sflow-counters"),
        mutations=400,
    ),
    Decoder(
        name="networks",
        decode=read_networks,
        seeds=partial(corpus, "networks"),
        mutations=1_500,
        is_compiled=True,
        raises=(),
    ),
    Decoder(
        name="packet program",
        decode=run_program,
        seeds=partial(corpus, "packet_program"),
        is_compiled=True,
        raises=(ValueError,),
    ),
    Decoder(
        name="packet filter list",
        decode=lambda octets: expressions_of(octets.decode("utf-8", "surrogateescape")),
        seeds=partial(corpus, "packet_filter"),
        mutations=1_000,
        raises=(ExpressionError,),
    ),
    Decoder(name="map", decode=read_map, seeds=partial(corpus, "map"), raises=()),
)
