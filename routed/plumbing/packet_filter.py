"""Filter expressions as tcpdump takes them, compiled and run by the system's libpcap.

libpcap is asked for only when there is an expression.
"""

import ctypes
import ctypes.util
import weakref
from typing import Final

from routed.plumbing.pcap import MAX_CAPTURED, CaptureError, Packet

#: Names to try when the system cannot say where the library is.
_LIBRARIES: Final = ("libpcap.so.1", "libpcap.so.0.8")
_INSTRUCTION_OCTETS: Final = 8
_NETMASK_UNKNOWN: Final = 0xFFFF_FFFF
#: Where the number in a file (LINKTYPE) is not that of the library (DLT) on Linux.
_LIBRARY_LINK_TYPES: Final = {101: 12}


class _Program(ctypes.Structure):
    """`struct bpf_program`."""

    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


class _Header(ctypes.Structure):
    """`struct pcap_pkthdr`."""

    _fields_ = (
        ("seconds", ctypes.c_long),
        ("microseconds", ctypes.c_long),
        ("captured", ctypes.c_uint32),
        ("length", ctypes.c_uint32),
    )


class PacketFilter:
    """One expression; compiled for each link type that occurs."""

    def __init__(self, expression: str) -> None:
        """Find libpcap; CaptureError when there is none."""
        self._expression = expression
        self._library = _load()
        self._programs: dict[int, _Program] = {}

    def compile(self, link_type: int) -> None:
        """Compile for a link type.

        Raises: CaptureError when the expression is wrong, or asks for what that link does not have.
        """
        if link_type in self._programs:
            return
        if "\0" in self._expression:
            raise CaptureError(f"filter {self._expression!r}: no text")
        library, program = self._library, _Program()
        handle = library.pcap_open_dead(_LIBRARY_LINK_TYPES.get(link_type, link_type), MAX_CAPTURED)
        try:
            text = self._expression.encode(errors="surrogateescape")
            if library.pcap_compile(handle, ctypes.byref(program), text, 1, _NETMASK_UNKNOWN):
                why = library.pcap_geterr(handle).decode(errors="replace")
                raise CaptureError(f"filter '{self._expression}': {why}")
        finally:
            library.pcap_close(handle)
        weakref.finalize(self, library.pcap_freecode, ctypes.byref(program))
        self._programs[link_type] = program

    def instructions(self, link_type: int) -> bytes:
        """Return the program for a link type: n x `struct bpf_insn`, 8 octets in the order of this machine.

        Raises: CaptureError as `compile` does.
        """
        self.compile(link_type)
        program = self._programs[link_type]
        return ctypes.string_at(program.instructions, _INSTRUCTION_OCTETS * program.length)

    def passes(self, packet: Packet) -> bool:
        """Say whether a packet is wanted; compiles as `compile` does."""
        program = self._programs.get(packet.link_type)
        if program is None:
            self.compile(packet.link_type)
            program = self._programs[packet.link_type]
        header = _Header(int(packet.time), 0, len(packet.octets), packet.length)
        found: int = self._library.pcap_offline_filter(ctypes.byref(program), ctypes.byref(header), packet.octets)
        return found != 0


def _load() -> ctypes.CDLL:
    for name in (ctypes.util.find_library("pcap"), *_LIBRARIES):
        try:
            library = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if library is not None:
            return _declare(library)
    raise CaptureError("a filter needs libpcap, and the system has none (on Debian: libpcap0.8)")


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    """Say what the functions take and give."""
    program, handle = ctypes.POINTER(_Program), ctypes.c_void_p
    library.pcap_open_dead.argtypes, library.pcap_open_dead.restype = (ctypes.c_int, ctypes.c_int), handle
    library.pcap_compile.argtypes = (handle, program, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32)
    library.pcap_geterr.argtypes, library.pcap_geterr.restype = (handle,), ctypes.c_char_p
    library.pcap_close.argtypes, library.pcap_close.restype = (handle,), None
    library.pcap_freecode.argtypes, library.pcap_freecode.restype = (program,), None
    library.pcap_offline_filter.argtypes = (program, ctypes.POINTER(_Header), ctypes.c_char_p)
    return library
