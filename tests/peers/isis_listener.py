"""A listener of IS-IS for the tests: circuits without a daemon around them; what happens is a line of JSON each.

    python -m tests.peers.isis_listener '{"net": "49.0001.0000.0000.0001.00", "circuits": [{"interface": "eth0"}]}'

A circuit with `gre`, a local and a remote address and perhaps a key, goes through GRE in user space. SIGTERM makes it
take its leave.
"""

import json
import signal
import sys
from ipaddress import ip_address
from random import random
from typing import Any, Final

from twisted.python.failure import Failure

from routed.model.event import Event
from routed.model.isis_event import CsnpReceived, LspReceived, PsnpReceived
from routed.rib.lsdb import Lsdb, Taken
from routed.service.clock import DaemonReactor, install
from routed.service.isis_carrier import Carrier, InGre, OnInterface
from routed.service.isis_link import IsisLink
from routed.session.isis_adjacency import CircuitSettings
from routed.session.isis_flooding import Flooding
from routed.session.isis_own_lsp import OwnLsp, own_template
from routed.wire.isis.authentication import Key
from routed.wire.isis.codepoints import AuthenticationType, Nlpid
from routed.wire.isis.lsp import Lsp
from routed.wire.isis.names import format_lsp_id, parse_entity_title
from routed.wire.prefix import format_prefix

#: What is told apart from the events.
QUIET: Final = (LspReceived, CsnpReceived, PsnpReceived)


class Listener:
    """All circuits, and the owner of each."""

    def __init__(self, reactor: DaemonReactor, wanted: dict[str, Any]) -> None:
        title = parse_entity_title(wanted["net"])
        addresses = tuple(ip_address(text).packed for text in wanted.get("addresses", ()))
        protocols = (int(Nlpid.IPV4), int(Nlpid.IPV6))
        hello, domain = (keys_of(wanted.get(name, ())) for name in ("hello_keys", "domain_keys"))
        template = own_template(
            title.system_id, (title.area,), addresses, protocols, wanted.get("hostname", "listener")
        )
        own, lsdb = OwnLsp(template, domain[0] if domain else None), Lsdb()
        self.links = []
        for number, circuit in enumerate(wanted["circuits"], 1):
            settings = CircuitSettings(
                system_id=title.system_id,
                areas=(title.area,),
                addresses=addresses,
                protocols=protocols,
                mtu=wanted.get("mtu", 1476),
                hello_interval=1.0,
                hello_multiplier=10,
                circuit_id=number,
                hello_keys=hello,
                domain_keys=domain,
            )
            flooding = Flooding(lsdb, own, number, domain[0] if domain else None)
            link = IsisLink(
                reactor, settings, carrier_of(circuit), flooding=flooding, own=own, owner=self, jitter=random
            )
            self.links.append(link)
        for link in self.links:
            link.carrier.open()
        for link in self.links:
            reactor.callWhenRunning(link.start)

    def attached(self, link: IsisLink, mtu: int) -> None:
        say(link, "attached", mtu=mtu)

    def detached(self, link: IsisLink, reason: str) -> None:
        say(link, "detached", reason=reason)

    def deliver(self, link: IsisLink, event: Event) -> None:
        if not isinstance(event, QUIET):
            facts = {name: plain(getattr(event, name)) for name in event.__dataclass_fields__}
            say(link, type(event).__name__, **facts)

    def taken(self, link: IsisLink, lsp: Lsp, taken: Taken | None) -> None:
        prefixes = sorted(format_prefix(reached.prefix) for reached in lsp.prefixes)
        verdict = None if taken is None else taken.name
        say(link, "lsp", id=format_lsp_id(lsp.lsp_id), name=lsp.hostname, taken=verdict, prefixes=prefixes)

    def originated(self, lsp: Lsp) -> None:
        say(None, "originated", sequence=lsp.sequence, neighbors=[each.node.hex() for each in lsp.neighbors])
        for link in self.links:
            link.wake()

    def caught(self, bug: Failure, where: str) -> None:
        say(None, "bug", where=where, traceback=bug.getTraceback())

    def stop(self) -> None:
        for link in self.links:
            link.stop()


def keys_of(wanted: list[list[Any]]) -> tuple[Key, ...]:
    return tuple(Key(AuthenticationType[kind], secret.encode(), *rest) for kind, secret, *rest in wanted)


def carrier_of(circuit: dict[str, Any]) -> Carrier:
    if "gre" in circuit:
        local, remote, *key = circuit["gre"]
        return InGre(ip_address(local), ip_address(remote), *key)
    return OnInterface(circuit["interface"])


def plain(value: object) -> object:
    match value:
        case bytes():
            return value.hex()
        case tuple():
            return [plain(each) for each in value]
        case int() | str():
            return value
    return str(value)


def say(link: IsisLink | None, event: str, **facts: object) -> None:
    sys.stdout.write(json.dumps({"link": None if link is None else str(link), "event": event, **facts}) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Listen until somebody ends it."""
    reactor = install()
    listener = Listener(reactor, json.loads(sys.argv[1]))
    signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(reactor.stop))
    reactor.addSystemEventTrigger("before", "shutdown", listener.stop)
    reactor.run()


if __name__ == "__main__":
    main()
