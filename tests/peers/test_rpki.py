"""Origin validation with a real cache: StayRTR serves payloads, and BIRD, which hears the same ones, is the judge."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import signal
import sys
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST
from tests.oracles.origins import inside, status_alone, status_among
from tests.peers.bird import Bird
from tests.peers.collector import PATIENCE
from tests.peers.install import require
from tests.peers.program import Program
from tests.peers.speaker import Link
from tests.peers.stayrtr import StayRtr
from tests.peers.waiting import eventually

if TYPE_CHECKING:
    from tests.oracles.origins import Payload, Route
    from tests.peers.conftest import Collect, Recruit
    from tests.peers.network import Network
    from tests.peers.route import Row

PEER: Final = "127.0.0.11"
LINK: Final = Link(local=PEER, families=(IPV4_UNICAST, IPV6_UNICAST))
STATES: Final = {"ROA_VALID": "v", "ROA_INVALID": "i", "ROA_UNKNOWN": "u"}
MakeCache = "Callable[..., StayRtr]"

#: Every 6,000th payload of a day's export of rpki-client.
EXPORT: Final = Path(__file__).parents[1] / "golden" / "rpki" / "rpki-client-20250720.json"

#: A client of the looking glass, to be run where the daemon is.
ASK: Final = """
import json, sys
from lg.client import Client
with Client() as client:
    print(json.dumps(list(client.search(json.loads(sys.argv[1])).rows)))
"""


class Judge(Bird):
    """A BIRD that announces routes and validates them itself, by the payloads of a cache."""

    cache_port = 0
    announced: tuple[Route, ...] = ()

    def _write(self) -> None:
        """Write the configuration: routes of the same prefix, a protocol and a table each."""
        text = [
            f"router id {self.link.router_id};",
            f'log "{self.home}/output-log" all;',
            "protocol device {}",
            "roa4 table r4; roa6 table r6;",
            "protocol rpki cache {",
            f'roa4 {{ table r4; }}; roa6 {{ table r6; }}; remote "127.0.0.1" port {self.cache_port};',
            "retry keep 1; refresh keep 5; }",
        ]
        for version, hop in ((4, "192.0.2.11"), (6, "2001:db8::11")):
            routes = [route for route in self.announced if route[0].version == version]
            lines = [f"route {net} via {hop} {{ {path(origin)} }};" for net, origin in routes]
            text.append(f"protocol static s{version} {{ ipv{version}; {' '.join(lines)} }}")
        text += [
            "protocol bgp collector {",
            f"local {self.link.local} port 1179 as {self.link.local_as};",
            f"neighbor {self.link.remote} port 179 as {self.link.remote_as};",
            "strict bind; multihop; connect delay time 1; connect retry time 1; error wait time 1, 2;",
            "ipv4 { import none; export all; };",
            "ipv6 { import none; export all; next hop address 2001:db8::11; };",
            "}",
        ]
        (self.home / "bird.conf").write_text("\n".join(text) + "\n")

    def payloads(self) -> int:
        """Return how many payloads it has heard of."""
        counts = (self.control("show", "route", "table", f"r{version}", "count") for version in (4, 6))
        return sum(int(text.splitlines()[-1].split()[0]) for text in counts)

    def verdicts(self) -> dict[str, str]:
        """Return what it makes of each prefix."""
        found = {}
        for version in (4, 6):
            for state, status in STATES.items():
                test = f"roa_check(r{version}, net, bgp_path.last) = {state}"
                text = self.control("show", "route", "table", f"master{version}", "where", test)
                found.update({line.split()[0]: status for line in text.splitlines() if "/" in line.split(" ")[0]})
        return found


def path(origin: int | None) -> str:
    """Write the path of a route."""
    return f"bgp_path.prepend({origin}); bgp_path.prepend(64999);"


@pytest.fixture
def cache(net: Network, tmp_path: Path) -> Iterator[MakeCache]:
    """Make caches, not started; they are killed when the test ends."""
    require("stayrtr")
    made: list[StayRtr] = []

    def make(port: int, *options: str) -> StayRtr:
        made.append(StayRtr(net, tmp_path, port, *options))
        return made[-1]

    yield make
    for one in made:
        one.kill()


def asked(network: Network, question: dict[str, Any]) -> list[Row]:
    """Ask the looking glass of the daemon in a network."""
    found: list[Row] = json.loads(network.run(sys.executable, "-c", ASK, json.dumps(question)))
    return found


def random_network(chance: random.Random, version: int, least: int = 0) -> IPv4Network | IPv6Network:
    """Return one of a few hundred nested prefixes."""
    bits, first, lengths = (32, 0x0A00_0000, range(8, 27)) if version == 4 else (128, 0x2001_0DB8 << 96, range(32, 57))
    length = chance.choice(lengths[least:])
    address = first | chance.getrandbits(8) << (bits - min(lengths) - 10)
    address = address >> (bits - length) << (bits - length)
    return ip_network((address.to_bytes(bits // 8, "big"), length))


def random_payloads(chance: random.Random, count: int) -> list[Payload]:
    """Return payloads that differ; some of AS 0."""
    found: set[Payload] = set()
    while len(found) < count:
        network = random_network(chance, chance.choice((4, 6)), 6)
        longest = min(network.prefixlen + chance.choice((0, 0, 1, 4, 8)), network.max_prefixlen)
        found.add((network, longest, chance.choice((0, 65101, 65102, 65103))))
    return sorted(found, key=str)


def exported() -> list[Payload]:
    """Return real payloads."""
    rows = json.loads(EXPORT.read_text())["roas"]
    return [(ip_network(row["prefix"]), row["maxLength"], int(str(row["asn"]).removeprefix("AS"))) for row in rows]


def routes_to(chance: random.Random, payloads: list[Payload]) -> Iterator[Route]:
    """Announce what payloads are about: by the AS or another one, as long as allowed or longer."""
    for network, longest, asn in payloads:
        most = min(longest + chance.randrange(3), network.max_prefixlen - 8)
        length = chance.randint(network.prefixlen, max(most, network.prefixlen))
        route = ip_network((network.network_address, length))
        yield route, asn if chance.randrange(3) and asn else 65104


def test_statuses_are_those_of_bird_and_of_the_oracle(
    collect: Collect,
    recruit: Recruit,
    cache: MakeCache,
    not_pmacct: None,  # noqa: ARG001
) -> None:
    """Message log: each route alone, as BIRD judges; looking glass: among the others; and again after a change."""
    chance = random.Random(6811)
    real = exported()
    payloads = list(dict.fromkeys([(ip_network("11.0.0.0/8"), 8, 65101), *random_payloads(chance, 200), *real]))
    found = {
        random_network(chance, version, 2): chance.randrange(65101, 65105) for version in (4, 6) for _ in range(300)
    }
    found |= dict(routes_to(chance, real))
    found[ip_network("11.1.0.0/16")] = 65101  # with nothing around it
    routes: tuple[Route, ...] = tuple(found.items())
    source = cache(8282)
    source.serve(payloads)
    source.start()
    judge = recruit(Judge, LINK)
    assert isinstance(judge, Judge)
    judge.cache_port, judge.announced = 8282, routes
    keys = {"rpki_rtr_cache": source.endpoint, "rpki_msglog_changes": "true", "bgp_daemon_lg": "true"}
    with collect(**keys) as daemon:
        daemon.wait_for_text("payloads")
        judge.start()
        updates = daemon.wait_for(PEER, count=len(routes), log_type="update")
        eventually(lambda: judge.payloads() == len(payloads), PATIENCE, "BIRD to have all payloads")
        logged = {row["ip_prefix"]: row["roa"] for row in updates}
        assert logged == judge.verdicts() == {str(net): status_alone(payloads, net, origin) for net, origin in routes}
        assert set(logged.values()) == {"u", "i", "v"}

        shown = {row["ip_prefix"]: row["roa"] for row in asked(judge.network, {"limit": 2_000})}
        assert shown == {str(net): status_among(payloads, routes, net, origin) for net, origin in routes}
        assert set(shown.values()) == {"u", "i", "v", "U", "V"}
        for network, _ in routes[:10]:
            question = {"select": "validation", "ip_prefix": str(network), "match": "exact"}
            (row,) = asked(judge.network, question)
            assert (row["roa"], row["roa_alone"]) == (shown[str(network)], logged[str(network)])
            covering = [payload for payload in payloads if inside(network, payload[0])]
            assert sum(map(len, row["why"].values())) == len(covering)
            assert bool(row["why"]["matched"]) == (row["roa_alone"] == "v")

        changed = payloads[::2] + random_payloads(chance, 100)
        source.serve(dict.fromkeys(changed))
        after = {str(net): status_alone(changed, net, origin) for net, origin in routes}
        expected = {(net, logged[net], status) for net, status in after.items() if status != logged[net]}
        found = daemon.wait_for(PEER, count=len(expected), log_type="roa")
        assert {(row["ip_prefix"], row["roa_before"], row["roa"]) for row in found} == expected
        eventually(lambda: judge.verdicts() == after, PATIENCE, "BIRD to have followed")


def test_caches_fail_and_come_back(
    collect: Collect,
    recruit: Recruit,
    cache: MakeCache,
    not_pmacct: None,  # noqa: ARG001
) -> None:
    """The preferred cache counts as long as it answers; what was heard stays when nobody does."""
    network = ip_network("192.0.2.0/24")
    first, second = cache(8282), cache(8283, "-protocol", "1")
    first.serve([(network, 24, 65001)], {65001: [65002, 65003]})
    second.serve([(network, 24, 65099)])
    second.start()
    speaker = recruit(Judge, LINK)
    assert isinstance(speaker, Judge)
    speaker.cache_port, speaker.announced = 9, ((network, 65001),)
    keys = {"rpki_rtr_cache": f"{first.endpoint},{second.endpoint}", "rpki_msglog_changes": "true"}
    with collect(**keys) as daemon:
        daemon.wait_for_text(f"[{second.endpoint}] RTR version 1")
        speaker.start()
        daemon.wait_for(PEER, log_type="update", roa="i")
        first.start()
        daemon.wait_for_text(f"[{first.endpoint}] RTR version 2")
        daemon.wait_for(PEER, log_type="roa", roa="v", roa_before="i")
        first.kill()
        daemon.wait_for(PEER, log_type="roa", roa="i", roa_before="v")
        second.kill()
        daemon.wait_for_text(f"[{second.endpoint}] session ended")
        assert len(daemon.rows(PEER, log_type="roa")) == 2
        first.serve([(network, 24, 65001), (ip_network("2001:db8::/32"), 48, 65001)])
        first.start()
        daemon.wait_for(PEER, count=2, log_type="roa", roa="v")


@pytest.mark.parametrize("version", [0, 1])
def test_the_version_that_a_cache_speaks_is_found(
    version: int,
    collect: Collect,
    cache: MakeCache,
    not_pmacct: None,  # noqa: ARG001
) -> None:
    """RFC 8210 section 7: from 2 downwards; and all that a validator has exported arrives."""
    source = cache(8282, "-protocol", str(version))
    source.serve_export(EXPORT)
    source.start()
    ipv4, ipv6 = (sum(payload[0].version == which for payload in exported()) for which in (4, 6))
    with collect(rpki_rtr_cache=source.endpoint) as daemon:
        daemon.wait_for_text(f"RTR version {version}, session")
        daemon.wait_for_text(f"{ipv4} IPv4 and {ipv6} IPv6 payloads")


def test_providers_come_from_a_cache_and_are_followed(
    collect: Collect,
    recruit: Recruit,
    cache: MakeCache,
    not_pmacct: None,  # noqa: ARG001
) -> None:
    """ASPA PDUs of version 2: an AS whose providers are others than the route says makes its path invalid."""
    network = ip_network("192.0.2.0/24")
    source = cache(8282)
    source.serve([(network, 24, 65101)], {65101: [64999, 65001]})
    source.start()
    speaker = recruit(Judge, LINK)
    assert isinstance(speaker, Judge)
    speaker.cache_port, speaker.announced = 9, ((network, 65101),)
    keys = {"rpki_rtr_cache": source.endpoint, "rpki_aspa": "true", "bgp_daemon_lg": "true"}
    with collect(**keys) as daemon:
        daemon.wait_for_text("1 ASPAs")
        speaker.start()
        daemon.wait_for(PEER, log_type="update", roa="v")

        def upstream() -> str:
            (row,) = asked(speaker.network, {"ip_prefix": str(network)})
            return str(row["aspa_upstream"])

        before = upstream()
        source.serve([(network, 24, 65101)], {65101: [65001]})
        eventually(lambda: upstream() != before, PATIENCE, "the path to be judged anew")
        assert (before, upstream()) == ("valid", "invalid")


def test_a_file_is_read_again_and_local_exceptions_apply(
    collect: Collect,
    recruit: Recruit,
    tmp_path: Path,
    not_pmacct: None,  # noqa: ARG001
) -> None:
    """SIGUSR2; a file that is broken changes nothing."""
    network = ip_network("192.0.2.0/24")
    roas, slurm = tmp_path / "roas.json", tmp_path / "slurm.json"
    row = {"asn": "AS65002", "prefix": str(network), "maxLength": 24, "ta": "test"}
    roas.write_text(json.dumps({"roas": [row]}))
    exceptions = {
        "slurmVersion": 1,
        "validationOutputFilters": {"prefixFilters": [], "bgpsecFilters": []},
        "locallyAddedAssertions": {"prefixAssertions": [], "bgpsecAssertions": []},
    }
    slurm.write_text(json.dumps(exceptions))
    speaker = recruit(Judge, LINK)
    assert isinstance(speaker, Judge)
    speaker.cache_port, speaker.announced = 9, ((network, 65001),)
    keys = {"rpki_roas_file": roas, "rpki_slurm_file": slurm, "rpki_msglog_changes": "true"}
    with collect(**keys) as daemon:
        speaker.start()
        daemon.wait_for(PEER, log_type="update", roa="i")
        roas.write_text("{")
        os.kill(daemon.pid, signal.SIGUSR2)
        daemon.wait_for_text("is not JSON")
        assert not daemon.rows(PEER, log_type="roa")
        roas.write_text(json.dumps({"roas": [row, {**row, "asn": 65001}]}))
        os.kill(daemon.pid, signal.SIGUSR2)
        daemon.wait_for(PEER, log_type="roa", roa="v", roa_before="i")
        exceptions["validationOutputFilters"] = {"prefixFilters": [{"prefix": str(network)}], "bgpsecFilters": []}
        slurm.write_text(json.dumps(exceptions))
        os.kill(daemon.pid, signal.SIGUSR2)
        daemon.wait_for(PEER, log_type="roa", roa="u", roa_before="v")
        daemon.kill()  # a reload that is refused is an error in its log, as it should be


def issue(folder: Path, name: str, authority: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None = None) -> Any:
    """Write `name`.crt and `name`.key of an authority, or of a server at 127.0.0.1; return the authority's half."""
    key = ec.generate_private_key(ec.SECP256R1())
    own_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer, signer = authority or (own_name, key)
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(issuer, own_name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = builder.add_extension(names, critical=False).sign(signer, hashes.SHA256())
    encoding = serialization.Encoding.PEM
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(encoding))
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.key").write_bytes(private)
    return own_name, key


@pytest.mark.parametrize("authority", ["ours", "other"])
def test_a_cache_over_tls_is_who_it_says(
    authority: str,
    collect: Collect,
    cache: MakeCache,
    tmp_path: Path,
    not_pmacct: None,  # noqa: ARG001
) -> None:
    """RFC 8210 section 9.2: by an authority that we trust, at the address that its certificate names."""
    issue(tmp_path, "cache", issue(tmp_path, "ours"))
    issue(tmp_path, "other")
    files = ("-tls.cert", str(tmp_path / "cache.crt"), "-tls.key", str(tmp_path / "cache.key"))
    source = cache(8282, "-tls.bind", "127.0.0.1:8283", *files)
    source.serve([(ip_network("192.0.2.0/24"), 24, 65001)])
    source.start()
    keys = {"rpki_rtr_cache": "127.0.0.1:8283", "rpki_rtr_tls_ca_file": tmp_path / f"{authority}.crt"}
    with collect(**keys) as daemon:
        daemon.wait_for_text(
            "1 IPv4 and 0 IPv6 payloads" if authority == "ours" else "session ended: TLS: certificate verify failed"
        )
        assert ("payloads" in daemon.text) == (authority == "ours")


def test_a_cache_that_wants_signatures_gets_them(
    net: Network,
    collect: Collect,
    tmp_path: Path,
    not_pmacct: None,  # noqa: ARG001
) -> None:
    """RFC 8210 section 9.3: TCP-MD5."""
    keys = tmp_path / "md5"
    keys.write_text("127.0.0.1, secret\n")
    command = [sys.executable, "-m", "tests.peers.signed_cache", "8282", "secret"]
    program = Program(net, command, tmp_path / "signed.out")
    try:
        with collect(rpki_rtr_cache="127.0.0.1:8282", rpki_rtr_md5_file=keys) as daemon:
            daemon.wait_for_text("1 IPv4 and 0 IPv6 payloads")
    finally:
        program.kill()
