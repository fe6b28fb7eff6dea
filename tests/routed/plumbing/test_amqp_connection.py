"""What goes wrong at a broker is told by the key that it is about."""

import pytest
from OpenSSL import SSL
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker, ConnectionClosedByBroker
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.error import DNSLookupError

from routed.plumbing.amqp_connection import describe


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionClosedByBroker(403, "ACCESS_REFUSED"), "x_user or x_passwd: broker:1: ACCESS_REFUSED"),
        (ConnectionClosedByBroker(530, "NOT_ALLOWED"), "x_vhost: broker:1: NOT_ALLOWED"),
        (ConnectionClosedByBroker(320, "CONNECTION_FORCED"), "broker:1: CONNECTION_FORCED"),
        (ChannelClosedByBroker(403, "ACCESS_REFUSED"), "x_exchange: broker:1: ACCESS_REFUSED"),
        (
            ChannelClosedByBroker(406, "PRECONDITION_FAILED"),
            "x_exchange_type or x_persistent_msg: broker:1: PRECONDITION_FAILED",
        ),
        (Refused("no"), "x_host: broker:1: Connection was refused by other side: no."),
        (DNSLookupError("no"), "x_host: broker:1: DNS lookup failed: no."),
        (DeferredTimeout(15, "Deferred"), "x_host: broker:1: no answer within 15 s"),
        (SSL.Error([("", "", "unknown ca")]), "x_tls: broker:1: TLS: unknown ca"),
        (FileNotFoundError(2, "No such file or directory", "/ca"), "x_tls: broker:1: /ca: No such file or directory"),
        (AMQPConnectionError(1), "broker:1: AMQPConnectionError: 1"),
        (RuntimeError(), "broker:1: RuntimeError"),
    ],
)
def test_a_failure_names_the_key_that_it_is_about(error: Exception, text: str) -> None:
    assert describe(error, "x_", "broker:1") == text
