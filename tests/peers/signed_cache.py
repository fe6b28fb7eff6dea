"""A cache that wants TCP-MD5: answers every question with one payload.

python -m tests.peers.signed_cache PORT KEY
"""

import socket
import sys
from ipaddress import ip_address

from routed.service.socket_options import Md5Keys
from routed.wire.rtr.pdu import CacheResponse, EndOfData, Intervals, encode_pdu

PAYLOAD = bytes.fromhex("010400000000001401181800c00002000000fde9")


def main(port: int, key: str) -> None:
    """Serve until killed."""
    listening = socket.create_server(("127.0.0.1", port))
    Md5Keys(listening, sys.exit).load({ip_address("127.0.0.1"): key.encode()})
    while True:
        connection, _ = listening.accept()
        with connection:
            connection.recv(64)
            end = encode_pdu(1, EndOfData(5, 1, Intervals(3_600, 600, 7_200)))
            connection.sendall(encode_pdu(1, CacheResponse(5)) + PAYLOAD + end)
            while connection.recv(64):
                pass


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
