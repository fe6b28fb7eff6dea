"""What no router should send, sent on an interface: broken PDUs of every type, other protocols, LAN hellos.

python -m tests.peers.isis_siege isis0
"""

import sys
from dataclasses import replace
from random import Random

from routed.service.isis_carrier import OnInterface
from routed.wire.isis.codepoints import CircuitType, PduType
from routed.wire.isis.header import with_length
from routed.wire.isis.hello import P2pHello, encode_p2p_hello
from routed.wire.isis.lsp import Lsp, encode_lsp
from routed.wire.isis.snp import Csnp, Psnp, encode_csnp, encode_psnp
from routed.wire.isis.tlv import LspEntry

STRANGER = b"\0\0\0\0\0\x66"
HELLO = P2pHello(circuit_type=CircuitType.LEVEL_1, source=STRANGER, hold_time=1)
LSP = Lsp(lsp_id=STRANGER + b"\0\0", sequence=1, lifetime=1200, checksum=0)
#: Entries that no database has, as many as a PDU holds.
ENTRIES = tuple(LspEntry(1200, bytes((0x77, 0, 0, 0, 0, number, 0, 0)), 0xFFFF_FFFF, 1) for number in range(80))


def pdus() -> list[bytes]:
    random = Random(7)
    whole = [
        encode_p2p_hello(HELLO, pad_to=1400),
        encode_lsp(LSP),
        encode_csnp(Csnp(source=STRANGER + b"\0", entries=ENTRIES)),
        encode_psnp(Psnp(source=STRANGER + b"\0", entries=ENTRIES)),
        encode_lsp(replace(LSP, level=1)),
    ]
    broken = [pdu[:4] + bytes((kind,)) + pdu[5:] for pdu in whole for kind in (0, 15, 16, 31)]
    broken += [pdu[:size] for pdu in whole for size in (1, 8, 20, len(pdu) - 1)]
    broken += [with_length(PduType.LSP_2, encode_lsp(LSP) + bytes((22, 200, 1)))]
    broken += [b"\x83" + random.randbytes(size) for size in (1, 30, 300, 1400)]
    return whole + broken + [b"\x82\0\0", b"\x45" * 40]


def main() -> None:
    """Send everything once."""
    carrier = OnInterface(sys.argv[1])
    carrier.open()
    carrier.attach()
    for pdu in pdus():
        carrier.send(pdu)


if __name__ == "__main__":
    main()
