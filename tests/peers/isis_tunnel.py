"""A GRE device that is none: a TUN device of which every packet goes through GRE, as it would through a real one.

    python -m tests.peers.isis_tunnel gre1 10.9.0.1 10.9.0.2

Kernels without the GRE module have nothing like it. Packets of a TUN device carry their protocol, as those of a GRE
device do, and no address.
"""

import fcntl
import os
import selectors
import struct
import subprocess
import sys
from contextlib import suppress
from ipaddress import ip_address
from typing import Final

from routed.plumbing.raw_ip import RawIp

_TUNSETIFF: Final = 0x400454CA
_TUN: Final = 0x0001
_GRE: Final = 47


def main() -> None:
    """Carry packets until somebody ends it."""
    name, local, remote = sys.argv[1:]
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH14x", name.encode(), _TUN))
    subprocess.run(["ip", "link", "set", name, "mtu", "1476", "up"], check=True)
    packets = RawIp(ip_address(local), ip_address(remote), _GRE)
    packets.open()
    packets.attach()
    waiting = selectors.DefaultSelector()
    waiting.register(device, selectors.EVENT_READ)
    waiting.register(packets.fileno(), selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            with suppress(OSError):  # nobody was there for an earlier packet
                if key.fd == device:  # flags u16 and protocol u16 in front, where GRE has them
                    packets.send(b"\0\0" + os.read(device, 65_536)[2:])
                elif (packet := packets.receive()) is not None:
                    os.write(device, packet)


if __name__ == "__main__":
    main()
