"""Adjacencies with FRRouting's isisd over Ethernet, as both sides see them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.frr_isis import PATIENCE, FrrIsis
from tests.peers.isis import CABLE, ROUTER_NET, Listener, connected, lay_cable
from tests.peers.network import Network
from tests.peers.waiting import eventually

ROUTER = "0000.0000.0001.00-00"


@pytest.fixture
def far(net: Network) -> Iterator[Network]:
    """The namespace of the router."""
    with connected(net) as other:
        other.run("ip", "address", "add", "10.9.1.1/32", "dev", "lo")
        yield other


def is_up(router: FrrIsis, name: str = "listener") -> bool:
    return router.neighbors().get(name) == "Up"


def has_our_lsp(router: FrrIsis, name: str = "listener") -> bool:
    """Tell whether the router holds our LSP: the overload bit is the last column."""
    lines = router.control("show isis database").splitlines()
    return any(line.startswith(f"{name}.00-00") and line.split()[-1].endswith("/1") for line in lines)


def prefixes_of(listener: Listener) -> set[str]:
    return {prefix for lsp in listener.said("lsp") for prefix in lsp["prefixes"]}


def test_both_sides_are_up_and_hold_each_others_lsp(net: Network, far: Network, tmp_path: Path) -> None:
    """Three-way handshake, padding, names, an area of its own; and nothing that is sent besides costs the adjacency.

    What the router says does not fit into one LSP; it is of both levels, as routers are by default.
    """
    many = [f"10.9.3.{last}/32" for last in range(40)]
    for prefix in many:
        far.run("ip", "address", "add", prefix, "dev", "lo")
    extra = ("is-type level-1-2", "lsp-mtu 256")
    router = FrrIsis(far, tmp_path, "router", net=ROUTER_NET, interfaces={CABLE: ()}, extra=extra)
    listener = Listener(net, tmp_path)
    try:
        router.start()
        up = listener.wait("AdjacencyUp")
        assert (up["system_id"], up["areas"], up["is_three_way"]) == ("000000000001", ["490002"], True)
        assert up["mtu"] == 1497
        eventually(lambda: is_up(router), PATIENCE, "the adjacency in FRR")
        eventually(lambda: has_our_lsp(router), PATIENCE, "our LSP in FRR")
        assert listener.wait("lsp", id=ROUTER, name="router")["taken"]
        every = {"10.9.0.0/24", "10.9.1.1/32", *many}
        eventually(lambda: every <= prefixes_of(listener), PATIENCE, "prefixes of FRR")
        assert listener.said("lsp", id=ROUTER.replace("-00", "-01"))
        far.run(sys.executable, "-m", "tests.peers.isis_siege", CABLE)
        listener.wait("PduRefused", times=10)
        assert listener.program.running
        assert not [down for down in listener.said("AdjacencyDown") if "no hello came" not in down["reason"]]
        eventually(lambda: is_up(router), PATIENCE, "the adjacency in FRR")
        listener.program.stop()
        eventually(lambda: not is_up(router), PATIENCE, "our farewell in FRR")
        assert listener.said("AdjacencyDown")[-1]["reason"] == "shut down"
    finally:
        router.kill()
        listener.program.kill()


@pytest.mark.parametrize(("kind", "extra"), [("clear", ("no isis three-way-handshake",)), ("md5", ())])
def test_only_with_the_keys_of_the_router(
    net: Network, far: Network, tmp_path: Path, kind: str, extra: tuple[str, ...]
) -> None:
    """Hellos with one key, LSPs and sequence numbers PDUs with another; one of the routers has no handshake."""
    hello = (f"isis password {kind} hello", *extra)
    domain = (f"domain-password {kind} domain authenticate snp validate",)
    router = FrrIsis(far, tmp_path, "router", net=ROUTER_NET, interfaces={CABLE: hello}, extra=domain)
    name = {"clear": "CLEAR_TEXT", "md5": "HMAC_MD5"}[kind]
    keys = {"hello_keys": [(name, "hello")], "domain_keys": [(name, "domain")]}
    stranger = Listener(net, tmp_path, "stranger", **{**keys, "hello_keys": [(name, "wrong")]})
    try:
        router.start()
        stranger.wait("PduRefused", times=2, why="Refusal.UNAUTHENTIC")
        assert not stranger.said("AdjacencyUp")
        assert "stranger" not in router.neighbors()
        stranger.program.kill()
        listener = Listener(net, tmp_path, **keys)
        try:
            assert listener.wait("AdjacencyUp")["is_three_way"] is not bool(extra)
            eventually(lambda: is_up(router), PATIENCE, "the adjacency in FRR")
            eventually(lambda: has_our_lsp(router), PATIENCE, "our LSP in FRR")
            eventually(lambda: "10.9.1.1/32" in prefixes_of(listener), PATIENCE, "prefixes of FRR")
            assert not listener.said("PduRefused", why="Refusal.UNAUTHENTIC")
        finally:
            listener.program.kill()
    finally:
        router.kill()
        stranger.program.kill()


def test_routers_interfaces_and_we_ourselves_come_back(net: Network, far: Network, tmp_path: Path) -> None:
    router = FrrIsis(far, tmp_path, "router", net=ROUTER_NET, interfaces={CABLE: ()})
    listener = Listener(net, tmp_path)
    try:
        router.start()
        listener.wait("AdjacencyUp")
        router.kill()
        far.run("ip", "address", "add", "10.9.1.7/32", "dev", "lo")
        router.start()
        eventually(lambda: "10.9.1.7/32" in prefixes_of(listener), PATIENCE, "what FRR says since, from number 1 on")
        listener.wait("AdjacencyDown")
        listener.wait("AdjacencyUp", times=len(listener.said("AdjacencyDown")) + 1)
        net.run("ip", "link", "delete", CABLE)  # the other end goes with it
        listener.wait("detached")
        assert listener.said("AdjacencyDown")
        lay_cable(net, far)
        listener.wait("attached", times=2)
        eventually(lambda: is_up(router), PATIENCE, "the adjacency over the new cable in FRR")
        eventually(lambda: has_our_lsp(router), PATIENCE, "our LSP in FRR")
        issued = listener.said("originated")[-1]["sequence"]
        listener.program.kill()
        again = Listener(net, tmp_path, "again", hostname="listener")
        try:
            eventually(
                lambda: again.said("originated")[-1:] and again.said("originated")[-1]["sequence"] > issued,
                PATIENCE,
                "an LSP behind the one of our earlier life",
            )
            eventually(lambda: is_up(router), PATIENCE, "the adjacency in FRR")
        finally:
            again.program.kill()
    finally:
        router.kill()
        listener.program.kill()
