"""Two namespaces with a cable between them, and the listener in one of them with what it has said."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.peers.frr_isis import PATIENCE
from tests.peers.network import Network, network
from tests.peers.program import Program
from tests.peers.waiting import eventually

#: The end of the cable, in both namespaces.
CABLE: Final = "isis0"
NET: Final = "49.0001.0000.0000.00aa.00"
ROUTER_NET: Final = "49.0002.0000.0000.0001.00"
NEAR: Final = "10.9.0.1"
FAR: Final = "10.9.0.2"
NEAR_6: Final = "fd09::1"
FAR_6: Final = "fd09::2"


def lay_cable(near: Network, far: Network, mtu: int = 1500) -> None:
    """Connect two namespaces; both ends are up and have addresses."""
    near.run("ip", "link", "add", CABLE, "mtu", str(mtu), "type", "veth", "peer", "name", CABLE, "netns", far.name)
    for end, address, address_6 in ((near, NEAR, NEAR_6), (far, FAR, FAR_6)):
        end.run("ip", "link", "set", CABLE, "mtu", str(mtu), "up")
        end.run("ip", "address", "add", f"{address}/24", "dev", CABLE)
        end.run("ip", "address", "add", f"{address_6}/64", "dev", CABLE, "nodad")


@contextmanager
def connected(near: Network, mtu: int = 1500) -> Iterator[Network]:
    """Make a second namespace, with a cable to the first."""
    with network() as far:
        lay_cable(near, far, mtu)
        yield far


class Listener:
    """A listener, and what it has said."""

    def __init__(self, place: Network, home: Path, name: str = "listener", **wanted: Any) -> None:
        settings = {"net": NET, "circuits": [{"interface": CABLE}], "addresses": [NEAR], "hostname": name, **wanted}
        argv = [sys.executable, "-m", "tests.peers.isis_listener", json.dumps(settings)]
        self.program = Program(place, argv, home / f"{name}.out")

    def said(self, event: str, **facts: object) -> list[dict[str, Any]]:
        """Return what happened of a sort, with all of these facts."""
        whole = self.program.text().rpartition("\n")[0].splitlines()
        found = [json.loads(line) for line in whole if line.startswith("{")]
        assert len(found) == len(whole), whole
        assert not any(each["event"] == "bug" for each in found), found
        return [each for each in found if each["event"] == event and facts.items() <= each.items()]

    def wait(self, event: str, times: int = 1, **facts: object) -> dict[str, Any]:
        """Wait until it has happened so many times, and return the last of these."""
        what = f"{event} with {facts}, {times} times"
        return eventually(lambda: self.said(event, **facts)[times - 1 : times], PATIENCE, what)[0]
