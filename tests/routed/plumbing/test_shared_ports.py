"""Sockets of several processes on one port, in the kernel that is there."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from routed.plumbing.lifecycle import StartError
from routed.plumbing.placement import place_of
from routed.plumbing.shared_ports import Port, hand_over, handed_over, open_all
from tests.ports import reserved_port

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = 3
SOURCES = [f"127.8.0.{number}" for number in range(1, 13)]


@dataclass(frozen=True, slots=True)
class Opened:
    """A socket."""

    socket: socket.socket


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opener(stack: ExitStack, kind: socket.SocketKind, port: int) -> Port:
    def opened() -> Opened:
        sock = stack.enter_context(socket.socket(socket.AF_INET, kind))
        for option in (socket.SO_REUSEPORT, socket.SO_REUSEADDR):
            sock.setsockopt(socket.SOL_SOCKET, option, 1)
        sock.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        sock.settimeout(10)
        return Opened(sock)

    return Port((kind, port), opened)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_what_comes_from_an_address_goes_to_its_place(stack: ExitStack, kind: socket.SocketKind) -> None:
    port = reserved_port()
    mine = [opened[kind, port].socket for opened in open_all([[opener(stack, kind, port)]] * COUNT)]
    for source in SOURCES:
        with socket.socket(socket.AF_INET, kind) as sender:
            sender.bind((source, 0))
            sender.connect(("127.0.0.1", port))
            sock = mine[place_of(ip_address(source), COUNT)]
            if kind == socket.SOCK_DGRAM:
                sender.send(b"x")
                _, peer = sock.recvfrom(1)
            else:
                connection, peer = sock.accept()
                connection.close()
            assert peer == sender.getsockname()


def test_ports_of_their_own_are_opened_as_they_are(stack: ExitStack) -> None:
    ports = [reserved_port() for _ in range(COUNT)]
    opened = open_all([[opener(stack, socket.SOCK_DGRAM, port)] for port in ports])
    assert [one.socket.getsockname()[1] for mine in opened for one in mine.values()] == ports


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_port_that_another_daemon_is_on_is_refused(stack: ExitStack, kind: socket.SocketKind) -> None:
    port = opener(stack, kind, reserved_port())
    port.open()
    with pytest.raises(StartError, match="is another daemon's: Address already in use"):
        open_all([[port], [port]])


def test_a_process_finds_what_was_opened_for_it(stack: ExitStack) -> None:
    opened = opener(stack, socket.SOCK_DGRAM, 0).open()
    stack.callback(partial(hand_over, {}))
    hand_over({"settings": opened})
    assert handed_over("settings", Opened) is opened
    assert handed_over("others", Opened) is None
    assert handed_over("settings", str) is None  # type: ignore[type-var]  # of another kind
