"""Which of several sockets on one port takes a packet: whoever it comes from, all of it goes to the same one.

The kernel asks a program of ours (classic BPF; socket(7), SO_ATTACH_REUSEPORT_CBPF) for each datagram and for each
connection. It looks at the source address alone, so a router's session and what it exports meet in one process, after
a restart of either too, whatever ports they come from. The hash is Fibonacci's: addresses in a row, or in equal steps,
are spread evenly over the sockets, which are numbered in the order in which they were opened.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from functools import reduce
from ipaddress import IPv4Address, IPv6Address
from operator import xor
from typing import Final

#: asm-generic/socket.h; the socket module does not name it.
_ATTACH: Final = 51
#: Where the IP header begins, for a load (linux/filter.h: SKF_NET_OFF).
_IP: Final = 0xFFF0_0000
#: 2**32 divided by the golden ratio.
_GOLDEN: Final = 0x9E37_79B1
_MASK: Final = 0xFFFF_FFFF

# Instructions of classic BPF (linux/bpf_common.h), for words unless they say otherwise.
_LOAD, _LOAD_OCTET, _TO_X, _XOR_X = 0x20, 0x30, 0x07, 0xAC
_MULTIPLY, _SHIFT_RIGHT, _JUMP, _IF_EQUAL, _RETURN_A = 0x24, 0x74, 0x05, 0x15, 0x16


def place_of(address: IPv4Address | IPv6Address, count: int) -> int:
    """Return the place, from 0, of the socket among `count` that takes what an address sends."""
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    words = struct.unpack(f"!{len(address.packed) // 4}I", address.packed)
    mixed: int = reduce(xor, words) * _GOLDEN & _MASK
    return (mixed >> 16) * count >> 16


def place(sock: socket.socket, count: int) -> None:
    """Let source addresses decide among all `count` sockets of the port of one of them.

    Raises: OSError.
    """
    program = _program(count)
    octets = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(octets, len(octets))
    sock.setsockopt(socket.SOL_SOCKET, _ATTACH, struct.pack("HP", len(program), ctypes.addressof(buffer)))


def _program(count: int) -> list[tuple[int, int, int, int]]:
    """Return what `place_of` does as instructions: code, jump if true, jump if false, constant."""
    ipv6 = [(_LOAD, 0, 0, _IP + 8)]
    for offset in (12, 16, 20):
        ipv6 += [(_TO_X, 0, 0, 0), (_LOAD, 0, 0, _IP + offset), (_XOR_X, 0, 0, 0)]
    ipv4 = [(_LOAD, 0, 0, _IP + 12)]
    ipv6.append((_JUMP, 0, 0, len(ipv4)))
    return [
        (_LOAD_OCTET, 0, 0, _IP),
        (_SHIFT_RIGHT, 0, 0, 4),
        (_IF_EQUAL, 0, len(ipv6), 6),
        *ipv6,
        *ipv4,
        (_MULTIPLY, 0, 0, _GOLDEN),
        (_SHIFT_RIGHT, 0, 0, 16),
        (_MULTIPLY, 0, 0, count),
        (_SHIFT_RIGHT, 0, 0, 16),
        (_RETURN_A, 0, 0, 0),
    ]
